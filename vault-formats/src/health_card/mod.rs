//! SMART Health Cards and Links.
//!
//! A card is a FHIR bundle that an issuer signed: as a `.smart-health-card` file, as the signature's
//! text, or as the text of QR codes. The file is the record and stays as it is; the resources inside
//! become records when the signature holds, or when there is no key at all to check it with. A card
//! says in its title whether it was verified.
//!
//! Sources: SMART Health Cards Framework and SMART Health Links (HL7). Revocation lists and
//! certificates are not looked at, and nothing is fetched.

mod content;
mod jws;
mod keys;
mod link;
mod qr;

use serde::Deserialize;
use serde_json::value::RawValue;
use vault_core::record::{clean_field, clean_title};
use vault_core::{Category, Digest, Label, RecordMeta};

use self::content::Content;
use self::jws::{Budget, Card};
use self::keys::Signed;
pub use self::keys::{IssuerKeys, IssuerKeysError};
pub use self::link::is_health_link;
use crate::{Deriver, Moment, Understood};

/// Longest file, in bytes (4 MiB).
const MAX_LEN: usize = 4 << 20;
/// Most cards of one file.
const MAX_CARDS: usize = 100;
/// Media type. Source: SMART Health Cards Framework, "via File Download".
const MEDIA_TYPE: &str = "application/smart-health-card";

/// How a file holds what it holds.
enum Form<'t> {
    File,
    Codes,
    Signatures,
    Encrypted,
    Link(&'t str),
}

/// Whether a file that begins like this holds health cards, or is a health file that is encrypted
/// (JWE). For links see [`is_health_link`]; [`understand`] takes both.
pub fn looks_like(prefix: &[u8]) -> bool {
    let text = match std::str::from_utf8(prefix) {
        Ok(text) => text,
        // the prefix may end inside a character
        Err(error) => std::str::from_utf8(prefix.get(..error.valid_up_to()).unwrap_or_default())
            .unwrap_or_default(),
    };
    !matches!(form(text), None | Some(Form::Link(_)))
}

fn form(text: &str) -> Option<Form<'_>> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let begins = |with: &str| {
        let start = text.get(..with.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    if begins("{") {
        let (_, after) = text.split_once("\"verifiableCredential\"")?;
        after.trim_start().starts_with(':').then_some(Form::File)
    } else if begins(qr::SCHEME) {
        Some(Form::Codes)
    } else if is_health_link(text.as_bytes()) {
        Some(Form::Link(text))
    } else if jws::looks_like_jws(text) {
        Some(Form::Signatures)
    } else if jws::looks_like_jwe(text) {
        Some(Form::Encrypted)
    } else {
        None
    }
}

/// Understands health cards, a link, or an encrypted health file; `None` when it is none of them.
/// `name` titles a file of which nothing can be read.
///
/// A signature that does not hold, and a card that cannot be read, is a problem and labels the file
/// unclear. A card is a problem too, and nothing is derived from it, when there are keys but none
/// of its issuer. At most 4 MiB and 100 cards, which inflate to 4 MiB together.
pub fn understand(bytes: &[u8], name: &str, keys: &IssuerKeys, when: Moment) -> Option<Understood> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_start_matches('\u{feff}').trim();
    let form = form(text)?;
    let signatures = match form {
        Form::Link(link) => return link::understand(link, when),
        Form::Encrypted => return Some(encrypted()),
        _ if bytes.len() > MAX_LEN => vec![Err("larger than 4 MiB".to_owned())],
        Form::File => of_file(text)?,
        Form::Codes => {
            let cards = qr::cards(text).into_iter();
            let card = |card: Result<_, qr::QrError>| card.map_err(|error| error.to_string());
            cards.map(card).collect()
        }
        Form::Signatures => text
            .split_whitespace()
            .map(|jws| Ok(jws.to_owned()))
            .collect(),
    };
    let mut understood = Understood::default();
    let mut cards = Vec::new();
    let mut budget = Budget::default();
    for (number, signature) in (1..).zip(signatures) {
        let card = match signature {
            _ if number > MAX_CARDS => Err("more cards than one file may hold".to_owned()),
            Ok(jws) => Card::parse(&jws, keys, &mut budget).map_err(|error| error.to_string()),
            Err(what) => Err(what),
        };
        let at = format!("card {number}");
        match card {
            Ok(card) => {
                report(&card, &at, keys, when, &mut understood);
                cards.push((at, card));
            }
            Err(what) => {
                understood.report(at, what);
                understood.meta.labels.insert(Label::unclear());
            }
        }
        if number > MAX_CARDS {
            break;
        }
    }
    describe(&mut understood, &cards, name);
    derive(&mut understood, cards, keys, bytes, when);
    Some(understood)
}

/// The signatures in a `.smart-health-card` file; `None` when there is none, as in other documents
/// that hold credentials.
fn of_file(text: &str) -> Option<Vec<Result<String, String>>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File<'t> {
        #[serde(borrow)]
        verifiable_credential: Vec<&'t RawValue>,
    }
    let file: File<'_> = match serde_json::from_str(text) {
        Ok(file) => file,
        Err(error) if error.is_data() => return None,
        Err(_) => return Some(vec![Err("not valid JSON".to_owned())]),
    };
    let credentials = file.verifiable_credential.into_iter();
    let signature = |credential: &RawValue| {
        let jws: Option<String> = serde_json::from_str(credential.get()).ok();
        jws.ok_or_else(|| "not a JSON Web Signature in compact form".to_owned())
    };
    let signatures: Vec<_> = credentials.take(MAX_CARDS + 1).map(signature).collect();
    signatures.iter().any(Result::is_ok).then_some(signatures)
}

/// A file that nothing can be said about without its key.
fn encrypted() -> Understood {
    Understood {
        meta: RecordMeta {
            title: "Encrypted health file (JWE)".to_owned(),
            media_type: "application/jose".to_owned(),
            labels: [Label::unclear()].into(),
            ..RecordMeta::default()
        },
        ..Understood::default()
    }
}

/// Notes what speaks against a card.
fn report(card: &Card, at: &str, keys: &IssuerKeys, when: Moment, understood: &mut Understood) {
    match card.signed {
        Signed::Verified => {}
        Signed::Broken => {
            understood.report(at, "the signature does not hold");
            understood.meta.labels.insert(Label::unclear());
        }
        Signed::NoKey if keys.is_empty() => {}
        Signed::NoKey => understood.report(at, "none of the given keys is its issuer's"),
    }
    if card.expires.is_some_and(|time| time < when.0) {
        let day = card.expires.map(day).unwrap_or_default();
        understood.report(at, format!("expired on {day}"));
    }
    if card.not_before.is_some_and(|time| time > when.0) {
        let day = card.not_before.map(day).unwrap_or_default();
        understood.report(at, format!("not valid before {day}"));
    }
}

fn day(seconds: u64) -> String {
    let instant = Moment(seconds).instant();
    instant.split('T').next().unwrap_or_default().to_owned()
}

/// Fills in the summary from the cards' own statements.
fn describe(understood: &mut Understood, cards: &[(String, Card)], name: &str) {
    let meta = &mut understood.meta;
    meta.media_type = MEDIA_TYPE.to_owned();
    let mut hosts: Vec<String> = Vec::new();
    for host in cards.iter().filter_map(|(_, card)| host(&card.issuer)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let mut shelves = cards.iter().map(|(_, card)| shelf(card));
    let shelf = shelves.next().unwrap_or(Category::Other);
    if shelves.all(|other| other == shelf) {
        meta.category = shelf;
    }
    let what = match (cards, meta.category) {
        ([], _) => {
            let name = clean_title(name);
            let unnamed = "Health card".to_owned();
            meta.title = if name.is_empty() { unnamed } else { name };
            return;
        }
        ([_], Category::Immunization) => "Immunization card".to_owned(),
        ([_], Category::Lab) => "Laboratory card".to_owned(),
        ([_], _) => "Health card".to_owned(),
        (cards, _) => format!("{} health cards", cards.len()),
    };
    let verified = cards
        .iter()
        .all(|(_, card)| card.signed == Signed::Verified);
    let outcome = if verified { "verified" } else { "not verified" };
    let by = match hosts.is_empty() {
        true => String::new(),
        false => format!(" ({})", hosts.join(", ")),
    };
    meta.title = clean_title(&format!("{what}, {outcome}{by}"));
    meta.author = hosts.into_iter().next();
}

/// The shelf that a card's types say. Source: SMART Health Cards Framework, "VC Types".
fn shelf(card: &Card) -> Category {
    let is = |wanted: &str| card.types.iter().any(|name| name == wanted);
    if is("immunization") {
        Category::Immunization
    } else if is("laboratory") {
        Category::Lab
    } else {
        Category::Other
    }
}

/// The host of an issuer's URL.
fn host(issuer: &str) -> Option<String> {
    let (_, rest) = issuer.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?.split(':').next()?;
    let host = clean_field(host);
    (!host.is_empty()).then_some(host)
}

/// Takes the cards' contents.
fn derive(
    understood: &mut Understood,
    cards: Vec<(String, Card)>,
    keys: &IssuerKeys,
    original: &[u8],
    when: Moment,
) {
    let verified = cards
        .iter()
        .any(|(_, card)| card.signed == Signed::Verified);
    let of_file = understood.meta.labels.clone();
    let mut deriver = Deriver::new(Digest::of(original), when, of_file);
    for (at, card) in cards {
        let mut content = Content::of(card.bundle);
        for number in std::mem::take(&mut content.bad_entries) {
            understood.report(format!("{at}, entry {number}"), "the entry has no resource");
        }
        let meta = &mut understood.meta;
        meta.labels.append(&mut content.labels);
        meta.date = meta.date.take().max(content.date.take());
        let room = vault_core::record::MAX_CODES.saturating_sub(meta.codes.len());
        let codes = std::mem::take(&mut content.codes);
        meta.codes.extend(codes.into_iter().take(room));
        for person in std::mem::take(&mut content.about) {
            if !understood.about.contains(&person) {
                understood.about.push(person);
            }
        }
        if card.signed == Signed::Verified || keys.is_empty() {
            content.derive(&mut deriver);
        }
    }
    understood.derived = deriver.finish(if verified {
        "a SMART Health Card, verified"
    } else {
        "a SMART Health Card, not verified"
    });
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
