//! Events in words, as on a bank statement: who, what, why, and what became of it.

use vault_core::{Act, Asked, GrantId, PublicKey, RevokeLevel};

use super::event::{Event, Outcome};
use super::names::{Names, beginning, some};
use crate::refusal::refusal;
use crate::time;
use crate::words as show;

/// One line of the statement. What does not apply is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// A contact's or an agent's name, or `you`.
    pub who: String,
    /// What was done.
    pub what: String,
    /// For which purpose.
    pub why: String,
    /// What became of it.
    pub outcome: String,
    /// Which records: titles, or the beginning of an id.
    pub records: String,
}

/// An event in words.
pub fn words(names: &Names, event: &Event<'_>) -> Line {
    let grant = |id: &GrantId| format!("grant {}", names.grant(id));
    let person = |owner: &PublicKey| show::line(&names.person(owner));
    let people = |owners: &[PublicKey]| show::line(&names.people(owners).join(", "));
    let purpose = |id: &GrantId| names.purpose_of(id).map_or_else(String::new, show::purpose);
    let versions = |count: u64| show::count(count, "version");
    match &event.entry.act {
        Act::VaultCreated { .. } => you("made the vault"),
        Act::VaultRecovered { from_seq, .. } => you(format!(
            "rebuilt the vault from the recovery words, at head {from_seq}"
        )),
        Act::ContactAdded { name, .. } => you(format!("added the card of {}", show::line(name))),
        Act::ContactVerified { contact } => {
            you(format!("compared the fingerprint of {}", person(contact)))
        }
        Act::Published { count, .. } => you(format!("added {}", versions(*count))),
        Act::Removed { records } => Line {
            records: some(&records.iter().map(beginning).collect::<Vec<_>>()),
            ..you(format!(
                "removed {}",
                show::count(records.len() as u64, "record")
            ))
        },
        Act::Granted {
            grant: id,
            readers,
            count,
            ..
        } => Line {
            why: purpose(id),
            ..you(format!(
                "{} {} to {}, {}",
                match names.is_on_request(id) {
                    true => "offered",
                    false => "gave",
                },
                versions(*count),
                people(readers),
                grant(id)
            ))
        },
        Act::Joined { grant: id, count } => {
            you(format!("added {} to {}", versions(*count), grant(id)))
        }
        Act::Revoked {
            grant: id,
            readers,
            level,
        } => {
            let level = match level {
                RevokeLevel::Stop => "stopped",
                RevokeLevel::Rekey => "stopped, to be re-keyed",
            };
            let what = format!("took {} back from {}", grant(id), people(readers));
            you(what).with(level)
        }
        Act::Expired { grant: id } => by("the terms", format!("ended {}", grant(id))),
        Act::Rekeyed {
            grant: id,
            count,
            done,
        } => {
            let state = if *done { "done" } else { "not done yet" };
            let what = format!("sealed {} of {} again", versions(*count), grant(id));
            you(what).with(state)
        }
        Act::Receipt { grant: id, .. } => you(format!("signed the receipt for {}", grant(id))),
        Act::Pinned { service, endpoint } => {
            let [service, endpoint] = [service, endpoint].map(|text| show::line(text));
            you(format!("let {service} keep a copy, {endpoint}"))
        }
        Act::Unpinned { service, confirmed } => {
            let state = match confirmed {
                true => "confirmed",
                false => "not confirmed",
            };
            let service = show::line(service);
            you(format!("told {service} to keep no copy any more")).with(state)
        }
        Act::PinVerified {
            service,
            sampled,
            missing,
            ..
        } => {
            let sampled = show::count(*sampled, "block");
            let state = match missing {
                0 => "all there".to_owned(),
                missing => format!("{missing} missing"),
            };
            you(format!("asked {} for {sampled}", show::line(service))).with(state)
        }
        Act::Agreed {
            grant: id, reader, ..
        } => Line {
            why: purpose(id),
            ..by(person(reader), format!("agreed to {}", grant(id)))
        },
        Act::Released(asked) => request(names, asked).with(event.outcome().map_or("", released)),
        Act::Denied { asked, reason } => {
            request(names, asked).with(format!("refused: {}", refusal(reason)))
        }
        Act::Receipted {
            release,
            reader,
            opened,
            ..
        } => Line {
            records: (event.asked).map_or_else(String::new, |a| names.titles(&a.versions)),
            ..by(person(reader), format!("confirmed entry {release}")).with(match opened {
                true => "all opened",
                false => "not all opened",
            })
        },
        Act::AgentAdded {
            grant: id,
            agent,
            opens,
            until,
        } => {
            let limit = opens.map_or_else(String::new, |n| {
                format!(", at most {}", show::count(n, "open"))
            });
            let (agent, until) = (person(agent), time::minute(*until));
            you(format!(
                "let {agent} answer for {} until {until}{limit}",
                grant(id)
            ))
        }
        Act::AgentRemoved { grant: id, agent } => you(format!(
            "let {} no longer answer for {}",
            person(agent),
            grant(id)
        )),
        Act::AgentReported {
            grant: id,
            agent,
            opens,
            closed,
        } => {
            let opens = show::count(*opens, "open");
            let what = format!("told of {opens} in all for {}", grant(id));
            by(person(agent), what).with(match closed {
                true => "gives no more",
                false => "goes on",
            })
        }
        Act::DepositLimit { contact, bytes: 0 } => {
            you(format!("let {} deposit nothing", person(contact)))
        }
        Act::DepositLimit { contact, bytes } => you(format!(
            "let {} deposit up to {}",
            person(contact),
            show::bytes(*bytes)
        )),
        Act::Deposited {
            contact,
            deposit,
            bytes,
        } => by(
            person(contact),
            format!(
                "deposited {}, deposit {}",
                show::bytes(*bytes),
                beginning(deposit)
            ),
        ),
        Act::DepositAccepted {
            contact,
            deposit,
            count,
        } => you(format!(
            "accepted {} of {}, deposit {}",
            versions(*count),
            person(contact),
            beginning(deposit)
        )),
        Act::DepositDeclined { contact, deposit } => you(format!(
            "declined what {} deposited, deposit {}",
            person(contact),
            beginning(deposit)
        )),
    }
}

impl Line {
    fn with(self, outcome: impl Into<String>) -> Self {
        Self {
            outcome: outcome.into(),
            ..self
        }
    }
}

fn by(who: impl Into<String>, what: impl Into<String>) -> Line {
    Line {
        who: who.into(),
        what: what.into(),
        ..Line::default()
    }
}

fn you(what: impl Into<String>) -> Line {
    by("you", what)
}

fn released(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Opened => "opened, confirmed",
        Outcome::Unconfirmed => "given out, not confirmed",
        Outcome::NotOpened => "given out, did not all open",
        Outcome::Refused => "refused",
    }
}

/// A request for keys.
fn request(names: &Names, asked: &Asked) -> Line {
    let count = show::count(asked.versions.len() as u64, "version");
    let mut what = format!("asked for {count}, grant {}", names.grant(&asked.grant));
    if let Some(vault) = &asked.vault {
        what += &format!(" of vault {}", beginning(vault));
    }
    if let Some(via) = &asked.via {
        what += &format!(", through {}", show::line(&names.person(&via.agent)));
    }
    Line {
        why: asked
            .purpose
            .as_ref()
            .map_or_else(String::new, show::purpose),
        records: names.titles(&asked.versions),
        ..by(show::line(&names.person(&asked.reader)), what)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::events;
    use super::super::samples::{self, entry, names, person};
    use super::*;

    fn lines(alone: bool) -> Vec<String> {
        let entries = samples::entries();
        let line = |event: &Event<'_>| {
            let line = words(&names(), event);
            let cells = [line.who, line.what, line.why, line.outcome, line.records];
            cells.join(" | ").trim_end_matches([' ', '|']).to_owned()
        };
        events(&entries, alone).iter().map(line).collect()
    }

    #[test]
    fn every_act_has_its_words() {
        let until = time::minute(samples::NOON + 86_400);
        let cy = names().person(&person(2));
        assert_eq!(cy.len(), 12);
        let expected = [
            "you | made the vault",
            "you | rebuilt the vault from the recovery words, at head 7",
            "you | added the card of Dr. Bo",
            "you | compared the fingerprint of Dr. Bo",
            "you | added 3 versions",
            "you | removed 4 records |  |  | aucqkbif, aydambqg and 2 more",
            &format!("you | gave 2 versions to Dr. Bo, {cy}, grant aaaaaaaa | healthcare research"),
            "you | added 1 version to grant aaaaaaaa",
            "you | took grant aaaaaaaa back from Dr. Bo |  | stopped, to be re-keyed",
            "the terms | ended grant aaaaaaaa",
            "you | sealed 2 versions of grant aaaaaaaa again |  | not done yet",
            "you | signed the receipt for grant aaaaaaaa",
            "you | let home keep a copy, https://pin.example",
            "you | told home to keep no copy any more |  | not confirmed",
            "you | asked home for 40 blocks |  | 2 missing",
            "Dr. Bo | agreed to grant aaaaaaaa | healthcare research",
            "Dr. Bo | asked for 3 versions, grant aaaaaaaa, through Box | treatment \
             | opened, confirmed | Glucose, Pulse and 1 more",
            &format!(
                "{cy} | asked for 2 versions, grant aaaaaaaa | treatment \
                 | refused: no opens are left | Glucose, Pulse"
            ),
            "Dr. Bo | confirmed entry 16 |  | all opened | Glucose, Pulse and 1 more",
            &format!("you | let Box answer for grant aaaaaaaa until {until}, at most 5 opens"),
            "you | let Box no longer answer for grant aaaaaaaa",
            "Box | told of 3 opens in all for grant aaaaaaaa |  | gives no more",
            "you | let Dr. Bo deposit nothing",
            "Dr. Bo | deposited 20 KiB, deposit aaaaaaaa",
            "you | accepted 2 versions of Dr. Bo, deposit aaaaaaaa",
            "you | declined what Dr. Bo deposited, deposit aaaaaaaa",
        ];
        let found = lines(true);
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found, expected);
        }
        assert_eq!(found.len(), expected.len());
        // the same but for the receipt, which is told with its release
        let mut expected = expected.to_vec();
        expected.remove(18);
        assert_eq!(lines(false), expected);
    }

    #[test]
    fn the_other_sides_have_words_too() {
        let say = |act: Act| {
            let entries = [entry(0, act)];
            let line = words(&names(), &events(&entries, false)[0]);
            (line.what, line.outcome)
        };
        let grant = samples::grant();
        let bo = person(1);
        let mut asked = samples::asked(bo);
        let unconfirmed = say(Act::Released(asked.clone()));
        assert_eq!(unconfirmed.1, "given out, not confirmed");
        asked.vault = Some(vault_core::VaultId::from_bytes([0; 32]));
        let denied = say(Act::Denied {
            asked,
            reason: "bad\u{1b}moon".into(),
        });
        let what = "asked for 2 versions, grant aaaaaaaa of vault aaaaaaaa";
        assert_eq!(
            denied,
            (what.to_owned(), "refused: bad\u{fffd}moon".to_owned())
        );
        let revoked = say(Act::Revoked {
            grant,
            readers: vec![bo],
            level: RevokeLevel::Stop,
        });
        assert_eq!(revoked.1, "stopped");
        let limit = say(Act::DepositLimit {
            contact: bo,
            bytes: 20 << 20,
        });
        assert_eq!(limit.0, "let Dr. Bo deposit up to 20 MiB");
        let pinned = say(Act::PinVerified {
            service: "home".into(),
            sampled: 1,
            missing: 0,
            canaries: 0,
            confidence: 0,
        });
        assert_eq!(
            pinned,
            ("asked home for 1 block".to_owned(), "all there".to_owned())
        );
        let agent = say(Act::AgentAdded {
            grant,
            agent: person(3),
            opens: None,
            until: samples::NOON,
        });
        assert!(
            !agent.0.contains("at most") && agent.0.starts_with("let Box answer"),
            "{}",
            agent.0
        );
        let reported = say(Act::AgentReported {
            grant,
            agent: person(3),
            opens: 1,
            closed: false,
        });
        assert_eq!(reported.1, "goes on");
    }

    #[test]
    fn a_release_that_did_not_open_says_so() {
        assert_eq!(released(Outcome::NotOpened), "given out, did not all open");
    }
}
