//! `medvault agreement consent`.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use vault_core::{Digest, GrantId, GrantInfo, GrantStatus, Terms, Vault};
use vault_formats::consent::{Agreement, Reader, Status, to_r4};

use crate::commands::{grant, inbox};
use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::files;

/// Write an agreement as a FHIR R4 Consent, for other programs
///
/// Takes an agreement of yours, as patient or as reader. What is written is not signed: the signed
/// terms are what counts.
#[derive(Args)]
pub struct Consent {
    /// The agreement, by its id or the beginning of it
    #[arg(value_name = "GRANT")]
    grant: String,

    /// The new file; `-` is standard output
    #[arg(short, long, value_name = "FILE|-", default_value = "-")]
    output: PathBuf,

    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// An agreement, whosever it is.
struct Found {
    grant: GrantId,
    patient: String,
    terms: Terms,
    digest: Digest,
    readers: Vec<Reader>,
    status: Status,
}

/// Runs the command.
pub fn run(context: &Context, args: &Consent) -> Result<Exit> {
    let found = match offered_by_me(context, &args.grant) {
        Err(error) if error.exit == Exit::NotFound => offered_to_me(context, &args.grant)?,
        found => found?,
    };
    let consent = to_r4(&Agreement {
        patient: &found.patient,
        terms: &found.terms,
        digest: found.digest,
        readers: &found.readers,
        status: found.status,
        signed: found.terms.created,
    });
    let mut text = serde_json::to_string_pretty(&consent).map_err(std::io::Error::from)?;
    text.push('\n');
    if files::is_dash(&args.output) {
        context.out.print(&text)?;
        return Ok(Exit::Ok);
    }
    files::write_new(&args.output, args.force, |file| {
        file.write_all(text.as_bytes())
            .map_err(|e| Error::file(&args.output, &e))
    })?;
    let place = args.output.display().to_string();
    if context.out.json {
        context
            .out
            .json(&json!({"grant": found.grant.to_string(), "output": place}))?;
    } else {
        context.out.print(&format!("written to {place}\n"))?;
        context
            .out
            .note("It is not encrypted, and says whom you share with.");
    }
    Ok(Exit::Ok)
}

fn offered_by_me(context: &Context, text: &str) -> Result<Found> {
    let mut vault = context.vault()?;
    let (info, ids) = grant::find(&mut vault, text)?;
    let Some(agreement) = info.agreement.clone() else {
        let what = format!("grant {} is not one on request", ids.short(info.id));
        return Err(Error::usage(what).hint("`medvault grant list` shows which are"));
    };
    let readers = readers(&mut vault, &info)?;
    let offered = readers.iter().all(|reader| reader.signed.is_none());
    Ok(Found {
        grant: info.id,
        patient: vault.name().to_owned(),
        digest: agreement.terms,
        readers,
        status: match info.status {
            GrantStatus::Active if offered => Status::Offered,
            GrantStatus::Active => Status::InForce,
            GrantStatus::Revoked | GrantStatus::Expired => Status::Ended,
        },
        terms: info.terms,
    })
}

/// Those who agreed and those who may, and after the end those who did.
fn readers(vault: &mut Vault, info: &GrantInfo) -> Result<Vec<Reader>> {
    let agreement = info.agreement.as_ref();
    let accepted = agreement
        .into_iter()
        .flat_map(|agreement| agreement.accepted.clone());
    let accepted = accepted.map(|(name, time)| (name, Some(time)));
    let offered = agreement
        .into_iter()
        .flat_map(|agreement| agreement.offered.clone());
    let offered = offered.map(|name| (name, None));
    let mut readers = Vec::new();
    for (name, signed) in accepted.chain(offered) {
        let key = *vault.contact(&name)?.card.owner();
        readers.push(Reader { name, key, signed });
    }
    for owner in &info.former {
        let name = grant::person(vault, owner);
        readers.push(Reader {
            name,
            key: *owner,
            signed: None,
        });
    }
    Ok(readers)
}

fn offered_to_me(context: &Context, text: &str) -> Result<Found> {
    let (home, device, inbox) = inbox::open(context)?;
    let (following, held) = super::find(&inbox, text)?;
    let name = home
        .read_card()?
        .and_then(|text| vault_core::Card::from_text(&text).ok());
    let name = name.map_or_else(|| "reader".to_owned(), |card| card.name().to_owned());
    Ok(Found {
        grant: held.grant,
        patient: following.patient().to_owned(),
        digest: held.digest,
        readers: vec![Reader {
            name,
            key: *device.signers().owner(),
            signed: held.accepted,
        }],
        status: match held.accepted {
            None => Status::Offered,
            Some(_) if held.terms.has_expired(crate::time::now()) => Status::Ended,
            Some(_) => Status::InForce,
        },
        terms: held.terms,
    })
}
