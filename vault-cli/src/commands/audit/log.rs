//! `medvault audit log`: what happened, in words.

use clap::Args;
use vault_app::statement::{Event, Names, Outcome, words};

use super::filter::FilterArgs;
use super::json::event_json;
use crate::context::Context;
use crate::error::{Exit, Result};
use crate::output::{BAD, WARN};
use crate::table::Table;
use crate::{show, time};

/// Lines that are aligned with each other. A longer log is written part by part.
const PART: usize = 10_000;

/// Show what happened, oldest first: when, who, what, why, what became of it, which records
///
/// A request for keys and the reader's confirmation are one line. A request that an agent answered
/// stands where the agent's report was entered, with the time at which it was answered.
#[derive(Args)]
pub struct Log {
    #[command(flatten)]
    filter: FilterArgs,

    /// Show each entry on a line of its own, confirmations too
    #[arg(long, visible_alias = "raw")]
    all: bool,
}

/// Runs the command.
pub fn run(context: &Context, args: &Log) -> Result<Exit> {
    let mut vault = context.vault()?;
    let entries = vault.audit_log()?;
    let mut names = Names::read(&mut vault, &entries)?;
    let shown = (args.filter).select(&mut vault, &entries, &names, args.all)?;
    names.read_records(&mut vault, &shown)?;
    if context.out.json {
        let lines = shown.iter().map(|event| event_json(&names, event));
        context.out.json_lines(lines)?;
        return Ok(Exit::Ok);
    }
    for (number, part) in shown.chunks(PART).enumerate() {
        let text = statement(&names, part);
        let text = match number {
            0 => &text,
            _ => text.split_once('\n').map_or("", |(_, rest)| rest),
        };
        context.out.print(text)?;
    }
    context.out.note(summary(&shown, entries.len()));
    Ok(Exit::Ok)
}

/// Events as a table with headings.
fn statement(names: &Names, events: &[Event<'_>]) -> String {
    let mut table = Table::new(&["no", "when", "who", "what", "why", "outcome", "records"]);
    for event in events {
        let line = words(names, event);
        let style = match event.outcome() {
            Some(Outcome::Refused | Outcome::NotOpened) => Some(BAD),
            Some(Outcome::Unconfirmed) => Some(WARN),
            Some(Outcome::Opened) | None => None,
        };
        table.row(vec![
            (event.entry.index.to_string(), None),
            (time::minute(event.time()), None),
            (line.who, None),
            (line.what, None),
            (line.why, None),
            (line.outcome, style),
            (line.records, None),
        ]);
    }
    table.render()
}

/// How many there are, and what they amount to. An open is one version's key given out.
fn summary(shown: &[Event<'_>], entries: usize) -> String {
    let told = shown.iter().filter(|event| event.with_receipt).count();
    let (mut opens, mut unconfirmed, mut refusals) = (0, 0, 0);
    for event in shown {
        let versions = event.asked.map_or(0, |asked| asked.versions.len() as u64);
        match event.outcome() {
            Some(Outcome::Refused) => refusals += 1,
            Some(outcome) => {
                opens += versions;
                if outcome == Outcome::Unconfirmed {
                    unconfirmed += versions;
                }
            }
            None => {}
        }
    }
    let mut text = format!("{} of {entries} entries", shown.len() + told);
    text += &format!("; {}", show::count(opens, "open"));
    if unconfirmed > 0 {
        text += &format!(" ({unconfirmed} not confirmed)");
    }
    text + &format!(", {}", show::count(refusals, "refusal"))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{self, entry};
    use super::*;
    use vault_app::statement::events;

    #[test]
    fn a_statement_has_one_line_for_each_event() {
        let entries = samples::entries();
        let shown = events(&entries, false);
        let text = statement(&samples::names(), &shown[16..18]);
        let text = anstream::adapter::strip_str(&text).to_string();
        let [at, before] = [samples::NOON, samples::via().time].map(time::minute);
        let cy = samples::names().person(&samples::person(2));
        let expected = format!(
            "\
no  when              who           what                                               why        outcome                     records
16  {before}  Dr. Bo        asked for 3 versions, grant aaaaaaaa, through Box  treatment  opened, confirmed           Glucose, Pulse and 1 more
17  {at}  {cy}  asked for 2 versions, grant aaaaaaaa               treatment  refused: no opens are left  Glucose, Pulse
"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn opens_and_refusals_are_counted() {
        let mut entries = samples::entries();
        let size = entries.len();
        let count = |shown: &[Event<'_>]| summary(shown, size);
        let all = events(&entries, false);
        assert_eq!(count(&all), "26 of 26 entries; 3 opens, 1 refusal");
        assert_eq!(count(&all[..2]), "2 of 26 entries; 0 opens, 0 refusals");
        let alone = events(&entries, true);
        assert_eq!(count(&alone), "26 of 26 entries; 3 opens, 1 refusal");
        let asked = samples::asked(samples::person(1));
        entries.push(entry(26, vault_core::Act::Released(asked)));
        assert_eq!(
            summary(&events(&entries, false), entries.len()),
            "27 of 27 entries; 5 opens (2 not confirmed), 1 refusal"
        );
    }
}
