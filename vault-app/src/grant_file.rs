//! A grant that came as a file, with everything that it opens.

use std::io::Read;
use std::path::Path;

use vault_core::{CarReader, Device, FollowError, Following, Inbox, Stick, StickError, Ticket};

use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::evidence::with_evidence;
use crate::inbox::Synced;
use crate::{car, time};

/// Whose files are taken.
#[derive(Clone, Copy)]
pub enum Senders<'a> {
    /// Anybody's; a new sender gets this name, or the one they go by.
    Anyone(Option<&'a str>),
    /// Only of senders who are in the inbox.
    Known,
}

/// Takes the file: its ticket, its blocks, its head. All of it or nothing. `shown` names it in
/// errors. Nobody is asked.
///
/// # Errors
/// A file that is no grant, not whole, for somebody else or over; a head that is older than, or
/// contradicts, what was seen; with [`Senders::Known`], a sender who is not in the inbox.
pub fn take_grant_file(
    app: &App,
    device: &Device,
    input: impl Read,
    shown: &str,
    from: Senders<'_>,
) -> Result<(Following, Synced)> {
    let path = Path::new(shown);
    let named = |error| explain(path, error);
    let stick = CarReader::new(input)
        .map_err(StickError::Car)
        .and_then(Stick::open)
        .map_err(named)?;
    let home = app.home();
    let mut inbox = Inbox::open(home.clone(), device)?;
    let ticket = Ticket::open(stick.ticket(), device, time::now())?;
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
        device,
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
            true => with_evidence(&**app.warner(), error, home, &following, &offered, &*cache),
            false => error,
        }
    })?;
    inbox.accept(&ticket, name, time::now())?;
    inbox.remember(&following)?;
    let synced = Synced {
        before,
        advance: taken.advance,
        views: taken.views,
    };
    Ok((following, synced))
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
