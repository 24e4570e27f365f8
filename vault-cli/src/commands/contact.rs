//! `medvault contact`: the people one shares with.

mod limit;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use vault_core::{Card, CardError, ContactInfo, VaultError};

use super::identity::{QR_PREFIX, words_in_lines};
use crate::context::{Context, declined};
use crate::error::{Error, Exit, Result};
use crate::output::{BAD, BOLD, GOOD, WARN, paint};
use crate::table::Table;
use crate::{files, show, time};

/// Longest accepted card text, in bytes.
const MAX_CARD: u64 = 64 * 1024;

/// Add, verify and list the people you share with
#[derive(Subcommand)]
pub enum Contact {
    Add(Add),
    Verify(Verify),
    Limit(limit::Limit),
    List(List),
    Show(Show),
}

/// Add a contact from a card, or take a newer card of the same person
#[derive(Args)]
pub struct Add {
    /// The name you give to the contact
    name: String,
    /// The card; `-` reads standard input
    #[arg(value_name = "FILE|-")]
    card: PathBuf,
}

/// Compare a contact's fingerprint with the person, in person or by phone
#[derive(Args)]
pub struct Verify {
    /// The contact
    name: String,
    /// The twelve words that the person reads out, or the text of their QR code
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// The words were compared by eye: do not ask
    #[arg(long, conflicts_with = "words")]
    yes: bool,
}

/// List contacts
#[derive(Args)]
pub struct List {}

/// Show a contact
#[derive(Args)]
pub struct Show {
    /// The contact
    name: String,
}

/// Runs the command.
pub fn run(context: &Context, command: Contact) -> Result<Exit> {
    match command {
        Contact::Add(args) => add(context, &args),
        Contact::Verify(args) => verify(context, &args),
        Contact::Limit(args) => limit::run(context, &args),
        Contact::List(_) => list(context),
        Contact::Show(args) => show(context, &args),
    }
}

fn read_card(path: &Path) -> Result<Card> {
    let text = files::read_text(path, MAX_CARD)?;
    Card::from_text(&text).map_err(|error| {
        let mut error = match error {
            CardError::NotACard if text.trim_start().starts_with("medvault-card:") => Error::new(
                Exit::Integrity,
                "bad-card",
                "the contact card is cut off or altered",
            )
            .hint("ask for it again"),
            other => Error::from(other),
        };
        if !files::is_dash(path) {
            error.message = format!("{}: {}", path.display(), error.message);
        }
        error
    })
}

fn add(context: &Context, args: &Add) -> Result<Exit> {
    let name = args.name.trim();
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        return Err(Error::usage(
            "a contact's name is one line of at most 100 bytes",
        ));
    }
    let card = read_card(&args.card)?;
    let mut vault = context.vault()?;
    let known = vault.contact(name).ok();
    let added = vault.add_contact(name, &card);
    if let (Err(VaultError::KeyChanged(_)), Some(known)) = (&added, &known) {
        alarm(context, known, &card);
    }
    let contact = added?;
    if context.out.json {
        context.out.json(&contact_json(&contact))?;
        return Ok(Exit::Ok);
    }
    let what = if known.is_some() {
        "is up to date"
    } else {
        "added"
    };
    context.out.print(&format!(
        "contact {} {what}, {}\n",
        contact.name,
        state(&contact)
    ))?;
    if contact.verified.is_none() {
        context.out.note(format!(
            "Compare fingerprints before you share: `medvault contact verify {}`",
            quoted(name)
        ));
    }
    Ok(Exit::Ok)
}

/// A changed key must not be overlooked.
fn alarm(context: &Context, known: &ContactInfo, card: &Card) {
    if context.out.json {
        return;
    }
    let bar = "!".repeat(72);
    let out = context.out;
    out.say(paint(BAD, &bar));
    out.say(paint(
        BAD,
        format!("  THE KEY OF {} HAS CHANGED", known.name.to_uppercase()),
    ));
    out.say(paint(BAD, &bar));
    out.say("This card was made with another key than the one you know. Someone may be");
    out.say(format!("posing as {}. Nothing was changed.\n", known.name));
    out.say(format!(
        "  known     {}",
        words_in_lines(&known.card.fingerprint(), 12)
    ));
    out.say(format!(
        "  on card   {}\n",
        words_in_lines(&card.fingerprint(), 12)
    ));
}

fn verify(context: &Context, args: &Verify) -> Result<Exit> {
    let mut vault = context.vault()?;
    let contact = vault.contact(&args.name)?;
    let theirs = contact.card.fingerprint();
    let mut given = args.words.clone();
    if let Some(id) = given
        .as_deref()
        .and_then(|text| text.trim().strip_prefix(QR_PREFIX))
    {
        if id != contact.card.vault().to_string() {
            return Err(VaultError::FingerprintMismatch(contact.name).into());
        }
        given = Some(theirs.clone());
    }
    if given.is_none() {
        let own = vault.device().card(vault.name())?.fingerprint();
        let out = context.out;
        out.note(format!(
            "\n  {:<20}{}",
            contact.name,
            words_in_lines(&theirs, 22)
        ));
        out.note(format!("  {:<20}{}\n", "you", words_in_lines(&own, 22)));
        out.note("Ask the person to read out their words, and read out yours.");
        if !args.yes && !context.can_ask() {
            return Err(
                Error::usage("the words must be compared and nobody can be asked")
                    .hint("give what the person read out with --words, or --yes when you compared"),
            );
        }
        if !args.yes && !context.confirm(&format!("Are these the words of {}?", contact.name))? {
            context
                .out
                .warn("the words differ: do not share anything with this contact");
            return Err(declined());
        }
    }
    let contact = vault.verify_contact(&args.name, given.as_deref())?;
    match context.out.json {
        true => context.out.json(&contact_json(&contact))?,
        false => context.out.print(&format!(
            "contact {} is {}\n",
            contact.name,
            state(&contact)
        ))?,
    }
    Ok(Exit::Ok)
}

fn list(context: &Context) -> Result<Exit> {
    let contacts = context.vault()?.contacts()?;
    if context.out.json {
        context.out.json_lines(contacts.iter().map(contact_json))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["name", "state", "added", "calls themselves"]);
    for contact in &contacts {
        let style = if contact.verified.is_some() {
            GOOD
        } else {
            WARN
        };
        let state = if contact.verified.is_some() {
            "verified"
        } else {
            "unverified"
        };
        table.row(vec![
            (contact.name.clone(), None),
            (state.to_owned(), Some(style)),
            (time::day(contact.added), None),
            (contact.card.name().to_owned(), None),
        ]);
    }
    context.out.print(&table.render())?;
    context.out.note(match contacts.len() {
        0 => "no contacts".to_owned(),
        n => show::count(n as u64, "contact"),
    });
    Ok(Exit::Ok)
}

fn show(context: &Context, args: &Show) -> Result<Exit> {
    let contact = context.vault()?.contact(&args.name)?;
    if context.out.json {
        context.out.json(&contact_json(&contact))?;
        return Ok(Exit::Ok);
    }
    let card = &contact.card;
    let verified = contact
        .verified
        .map_or_else(|| "no".to_owned(), time::minute);
    context.out.print(&format!(
        "{}\n\n  calls self   {}\n  vault        {}\n  fingerprint  {}\n  verified     {verified}\n  \
         added        {}\n  devices      {}\n  deposits     {}\n",
        paint(BOLD, &contact.name),
        card.name(),
        card.vault(),
        words_in_lines(&card.fingerprint(), 15),
        time::minute(contact.added),
        card.recipients().len(),
        contact.deposits.map_or_else(|| "no".to_owned(), |d| limit::words(&d)),
    ))?;
    Ok(Exit::Ok)
}

fn state(contact: &ContactInfo) -> String {
    match contact.verified {
        Some(_) => paint(GOOD, "verified"),
        None => paint(WARN, "not verified yet"),
    }
}

/// A name as it must be typed in a shell.
fn quoted(name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

fn contact_json(contact: &ContactInfo) -> Value {
    let card = &contact.card;
    json!({
        "id": contact.id.to_string(),
        "name": contact.name,
        "card_name": card.name(),
        "vault": card.vault().to_string(),
        "owner": card.owner().to_string(),
        "fingerprint": card.fingerprint(),
        "verified": contact.verified.map(time::rfc3339),
        "added": time::rfc3339(contact.added),
        "deposits": contact.deposits.map(|d| json!({"bytes": d.bytes, "per_day": d.per_day})),
        "recipients": card.recipients().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
