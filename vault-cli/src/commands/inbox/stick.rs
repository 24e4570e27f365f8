//! A grant that came as a file: `medvault inbox accept FILE.car`, `medvault inbox sync --file`.

use std::io::Read;
use std::path::Path;

use vault_core::{CarReader, FollowError, Following, Stick, StickError, Ticket};

use super::sync::report;
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::network::with_evidence;
use crate::{car, time};

/// Whose files are taken.
#[derive(Clone, Copy)]
pub enum Senders<'a> {
    /// Anybody's; a new sender gets this name, or the one they go by.
    Anyone(Option<&'a str>),
    /// Only of senders who are in the inbox.
    Known,
}

/// Takes the file: its ticket, its blocks, its head. All of it or nothing.
pub fn take(context: &Context, path: &Path, input: impl Read, from: Senders<'_>) -> Result<()> {
    let named = |error| explain(path, error);
    let stick = CarReader::new(input)
        .map_err(StickError::Car)
        .and_then(Stick::open)
        .map_err(named)?;
    let (home, device, mut inbox) = super::open(context)?;
    let ticket = Ticket::open(stick.ticket(), &device, time::now())?;
    let name = match from {
        Senders::Anyone(name) => name,
        Senders::Known => None,
    };
    inbox.may_accept(&ticket, name)?;
    let vault = stick.vault().to_string();
    let mut following = match (inbox.find(&vault), from) {
        (Ok(known), _) => {
            let mut known = known.clone();
            known.accept_again(&ticket);
            known
        }
        (Err(_), Senders::Anyone(name)) => {
            let name = name.unwrap_or(&ticket.name);
            Following::accept(&ticket, name, time::now())
        }
        (Err(error), Senders::Known) => {
            let error = Error::from(error);
            let hint = format!(
                "`medvault inbox accept {}` takes a first one",
                path.display()
            );
            return Err(Error::new(
                error.exit,
                error.code,
                "nothing of this sender is in the inbox",
            )
            .hint(hint));
        }
    };
    let before = following.seq();
    let cache = home.cache()?;
    let offered = [stick.head_bytes().to_vec()];
    let taken = stick.take(
        &ticket,
        &mut following,
        &device,
        &*cache,
        time::now(),
        &mut |_| {},
    );
    let taken = taken.map_err(|error| {
        let proves = matches!(
            error,
            StickError::Follow(FollowError::Forked(_) | FollowError::Older { .. })
        );
        let error = named(error);
        match proves {
            true => with_evidence(
                Some(&context.out),
                error,
                &home,
                &following,
                &offered,
                &*cache,
            ),
            false => error,
        }
    })?;
    inbox.accept(&ticket, name, time::now())?;
    inbox.remember(&following)?;
    report(context, &following, before, taken.advance, &taken.views)
}

fn explain(path: &Path, error: StickError) -> Error {
    let text = format!("{}: {error}", path.display());
    let new = |exit, code| Error::new(exit, code, &text);
    match error {
        StickError::Car(error) => car::car_error(path, error),
        StickError::Follow(error) => error.into(),
        StickError::Store(error) => error.into(),
        StickError::NotAGrant => new(Exit::Failure, "not-a-grant").hint(
            "ask for the file that `medvault grant export` writes; a backup is for \
             `medvault restore`",
        ),
        StickError::Incomplete(_) | StickError::OtherVault | StickError::Body(_) => {
            new(Exit::Integrity, "bad-grant-file").hint("nothing was changed; ask for it again")
        }
    }
}
