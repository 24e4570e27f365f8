//! `medvault audit check-fork`: two pieces of evidence held against each other, by anyone.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use vault_core::{Basis, Evidence, Fork, ForkVerdict, MAX_EVIDENCE_LEN, RollBack, check_fork};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{GOOD, WARN, paint};
use crate::{files, time};

/// Say whether two histories of one vault exclude each other; needs no home
///
/// Exit codes: 0 one history continues the other, 9 forked or rolled back, 4 the evidence does not
/// decide.
#[derive(Args)]
pub struct CheckFork {
    /// What one side has: `medvault audit evidence` writes it
    #[arg(value_name = "A")]
    one: PathBuf,

    /// What the other side has
    #[arg(value_name = "B")]
    other: PathBuf,
}

/// Runs the command.
pub fn run(context: &Context, args: &CheckFork) -> Result<Exit> {
    let (one, other) = (read(&args.one)?, read(&args.other)?);
    let verdict = check_fork(&one, &other).map_err(|error| {
        Error::new(Exit::Failure, "two-vaults", error).hint("compare files about one vault")
    })?;
    if context.out.json {
        let mut value = verdict_json(&verdict);
        value["vault"] = one.vault().to_string().into();
        value["a"] = side_json(&one);
        value["b"] = side_json(&other);
        context.out.json(&value)?;
    } else {
        let mut text = format!("vault {}\n", one.vault());
        for (name, side) in [("A", &one), ("B", &other)] {
            text += &side_words(name, side);
        }
        context.out.print(&text)?;
    }
    conclude(context, &verdict)
}

fn read(path: &Path) -> Result<Evidence> {
    let text = files::read_text(path, MAX_EVIDENCE_LEN as u64)?;
    Evidence::parse(&text).map_err(|error| {
        let mut error = Error::from(error);
        error.message = format!("{}: {}", path.display(), error.message);
        error
    })
}

fn conclude(context: &Context, verdict: &ForkVerdict) -> Result<Exit> {
    let say = |text: String| match context.out.json {
        true => Ok(()),
        false => context.out.print(&text),
    };
    match verdict {
        ForkVerdict::Consistent { shorter, longer } if shorter == longer => {
            let same = paint(GOOD, "one history");
            say(format!(
                "{same}: both have the same log of {longer} entries\n"
            ))?;
            Ok(Exit::Ok)
        }
        ForkVerdict::Consistent { shorter, longer } => {
            let one = paint(GOOD, "one history");
            say(format!(
                "{one}: the log of {longer} entries begins with that of {shorter}\n"
            ))?;
            Ok(Exit::Ok)
        }
        ForkVerdict::Undetermined { needs } => {
            let open = paint(WARN, "not decided");
            say(format!(
                "{open}: the hashes of a log of {needs} entries would decide. whoever has it writes \
                 them with `medvault audit evidence`\n"
            ))?;
            Ok(Exit::Partial)
        }
        ForkVerdict::Forked { fork, replaced } => {
            let what = format!("two histories were signed: {}", fork_words(fork));
            Err(Error::new(Exit::Integrity, "forked", what).hint(fork_hint(*replaced)))
        }
        ForkVerdict::RolledBack {
            roll_back,
            replaced,
        } => {
            let what = format!("the vault went back: {}", roll_back_words(roll_back));
            Err(Error::new(Exit::Integrity, "rolled-back", what).hint(fork_hint(*replaced)))
        }
    }
}

fn fork_words(fork: &Fork) -> String {
    match fork {
        Fork::Entry { index } => format!("they part at entry {index}"),
        Fork::Roots { size } => format!("two different logs of {size} entries"),
        Fork::Prefix { size } => {
            format!("the longer log does not begin with the one of {size} entries")
        }
        Fork::Heads { seq } => format!("two different heads with the number {seq}"),
    }
}

/// What is proven, and what is not.
fn roll_back_words(roll_back: &RollBack) -> String {
    let RollBack {
        longer,
        shorter,
        basis,
    } = roll_back;
    match basis {
        Basis::Asked => format!(
            "asked by somebody who named its log of {longer} entries, it answered that it has \
             {shorter}"
        ),
        Basis::Numbered {
            longer: old,
            shorter: new,
        } => format!("head {old} has a log of {longer} entries, the later head {new} of {shorter}"),
        Basis::Clock {
            longer: early,
            shorter: late,
        } => format!(
            "it signed a log of {longer} entries on {} and one of {shorter} on {}, by its own clock; \
             that this clock was wrong is not excluded",
            time::rfc3339(*early),
            time::rfc3339(*late)
        ),
    }
}

fn fork_hint(replaced: bool) -> &'static str {
    match replaced {
        true => {
            "the two sides know different lists of signing keys: a recovery from an old copy does \
             this, and so does a lost device that goes on signing. ask the patient which it was"
        }
        false => {
            "only a key of the vault can have signed both: an old copy of the home was put back, two \
             copies are in use, or somebody else has the key. ask the patient"
        }
    }
}

fn side_words(name: &str, side: &Evidence) -> String {
    let log = side.checkpoint();
    let mut text = format!("{name}  {} entries, root {}\n", log.size, log.root);
    let replaced = match side.signers().may_sign(side.signer()) {
        true => "",
        false => ", replaced since",
    };
    text += &format!("   signed by key {}{replaced}\n", side.signer());
    if let Some(head) = side.head() {
        let signed = time::rfc3339(head.time());
        text += &format!("   head {} of {signed}\n", head.seq());
    }
    if let Some(said) = side.statement() {
        text += &format!(
            "   stated {} entries on {}\n",
            said.checkpoint().size,
            time::rfc3339(said.time())
        );
    }
    text
}

fn side_json(side: &Evidence) -> Value {
    let log = side.checkpoint();
    let stated = side.statement().map(|said| {
        json!({
            "size": said.checkpoint().size, "root": said.checkpoint().root.to_string(),
            "time": time::rfc3339(said.time()), "seen": said.seen().map(|(size, _)| size),
        })
    });
    json!({
        "size": log.size, "root": log.root.to_string(), "signer": side.signer().to_string(),
        "signer_replaced": !side.signers().may_sign(side.signer()),
        "signers_serial": side.signers().serial(),
        "head": side.head().map(|head| head.seq()),
        "time": side.head().map(|head| time::rfc3339(head.time())),
        "hashes": side.has_leaves(), "statement": stated,
    })
}

fn verdict_json(verdict: &ForkVerdict) -> Value {
    match verdict {
        ForkVerdict::Consistent { shorter, longer } => {
            json!({"verdict": "consistent", "shorter": shorter, "longer": longer})
        }
        ForkVerdict::Undetermined { needs } => json!({"verdict": "undetermined", "needs": needs}),
        ForkVerdict::Forked { fork, replaced } => {
            let (what, at) = match fork {
                Fork::Entry { index } => ("entry", index),
                Fork::Roots { size } => ("roots", size),
                Fork::Prefix { size } => ("prefix", size),
                Fork::Heads { seq } => ("heads", seq),
            };
            json!({"verdict": "forked", "what": what, "at": at, "keys_replaced": replaced})
        }
        ForkVerdict::RolledBack {
            roll_back,
            replaced,
        } => {
            let basis = match roll_back.basis {
                Basis::Asked => "asked",
                Basis::Numbered { .. } => "numbered",
                Basis::Clock { .. } => "clock",
            };
            json!({
                "verdict": "rolled-back", "longer": roll_back.longer, "shorter": roll_back.shorter,
                "basis": basis, "keys_replaced": replaced,
            })
        }
    }
}
