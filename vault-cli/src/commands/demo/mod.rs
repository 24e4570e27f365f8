//! `medvault demo`: the main path with two people and two processes, checked at every step.

mod samples;
mod stage;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use stage::Stage;

/// Show the main path: a patient shares lab results with a clinic over IPFS, and takes them back
///
/// Makes two homes in a temporary folder and runs the real commands in processes of their own. The
/// clinic fetches through a second embedded IPFS node. Every step is checked; the exit code is not
/// 0 if one is not as promised. Nothing but loopback is used.
#[derive(Args)]
pub struct Demo {
    /// Records to use instead of the sample patient's
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Keep the two homes in this new folder, to look around afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs the command.
pub fn run(context: &Context, args: &Demo) -> Result<Exit> {
    let temporary;
    let folder = match &args.keep {
        Some(keep) => {
            std::fs::create_dir(keep).map_err(|e| Error::file(keep, &e))?;
            keep.canonicalize()?
        }
        None => {
            temporary = tempfile::Builder::new()
                .prefix("medvault-demo-")
                .tempdir()?;
            temporary.path().to_owned()
        }
    };
    let samples = samples::write(&folder)?;
    let data = args.data.clone().unwrap_or_else(|| samples.join("history"));
    let mut stage = Stage::new(context.out, folder)?;
    let played = play(&mut stage, &data, &samples);
    stage.end();
    played?;
    stage.say("every step was as promised");
    Ok(Exit::Ok)
}

fn play(stage: &mut Stage, data: &Path, samples: &Path) -> Result<()> {
    meet(stage)?;
    let (ticket, shared) = share(stage, data)?;
    read(stage, &ticket, shared)?;
    let added = follow(stage, samples, shared)?;
    take_back(stage, samples, &added, shared)?;
    prove(stage)
}

/// Two homes; the patient has the clinic's card and has compared the fingerprint.
fn meet(stage: &mut Stage) -> Result<()> {
    stage.chapter("two people: each has a home, keys and 24 recovery words");
    stage.patient(&["init", "--name", "Mira", "--words-out", "mira.words"])?;
    stage.clinic(&[
        "init",
        "--name",
        "Riverside Clinic",
        "--words-out",
        "clinic.words",
    ])?;
    stage.clinic(&["identity", "show", "--card", "clinic.card"])?;
    let clinic = stage.ask_clinic(&["identity", "show"])?;
    let words = stage::text(&clinic, "fingerprint")?;
    stage.patient(&["contact", "add", "clinic", "clinic.card"])?;
    stage.say("the clinic reads its fingerprint out; the patient compares:");
    stage.patient(&["contact", "verify", "clinic", "--words", &words])
}

/// The records go in; the laboratory results are shared. Returns the ticket and how many records.
fn share(stage: &mut Stage, data: &Path) -> Result<(String, usize)> {
    stage.chapter("records go in, each encrypted before it touches the disk");
    let data = data
        .to_str()
        .ok_or_else(|| Error::usage("the folder's name is not UTF-8"))?;
    stage.patient_or_partial(&["record", "add", data])?;
    let all = stage.list_patient(&["record", "list"])?;
    stage.check("records are in the vault", !all.is_empty())?;
    stage.patient(&["record", "list", "--category", "lab"])?;

    stage.chapter("the patient's node goes online; the laboratory results are shared");
    stage.serve()?;
    stage.patient(&[
        "share",
        "--with",
        "clinic",
        "--category",
        "lab",
        "--purpose",
        "TREAT",
        "--dry-run",
    ])?;
    stage.patient(&[
        "share",
        "--with",
        "clinic",
        "--category",
        "lab",
        "--purpose",
        "TREAT",
        "-o",
        "ticket",
    ])?;
    let grant = stage.list_patient(&["grant", "list"])?;
    let grant = grant
        .first()
        .ok_or_else(|| stage::broken("there is no grant"))?;
    let id = stage::text(grant, "grant")?;
    let shown = stage.ask_patient(&["grant", "show", &id])?;
    let count = shown["versions"].as_u64().unwrap_or(0) as usize;
    stage.check(
        &format!("{count} records are in the grant"),
        count > 0 && count < all.len(),
    )?;
    Ok((id, count))
}

/// The clinic, in another process with another node, fetches and decrypts.
fn read(stage: &mut Stage, grant: &str, shared: usize) -> Result<()> {
    stage
        .chapter("the clinic accepts the ticket and fetches over bitswap, in a process of its own");
    stage.clinic(&["inbox", "accept", "ticket"])?;
    stage.clinic(&["record", "list", "--from", "Mira"])?;
    let listed = stage.list_clinic(&["record", "list", "--from", "Mira"])?;
    stage.check(
        &format!(
            "the clinic sees exactly the {shared} records of grant {}",
            &grant[..8]
        ),
        listed.len() == shared,
    )?;
    let labs = listed.iter().all(|entry| entry["category"] == "lab");
    stage.check("all of them laboratory results", labs)?;
    let mut bytes = 0;
    for entry in &listed {
        let id = stage::text(entry, "record")?;
        let theirs = stage.clinic_bytes(&["record", "get", &id])?;
        let mine = stage.patient_bytes(&["record", "get", &id])?;
        if theirs != mine {
            return Err(stage::broken("a record differs from the patient's"));
        }
        bytes += theirs.len();
    }
    stage.check(
        &format!(
            "all {} decrypted, {bytes} bytes, byte for byte the patient's",
            listed.len()
        ),
        true,
    )?;
    let node = stage.ask_patient(&["status"])?["node"].clone();
    let sent = node["blocks_sent"].as_u64().unwrap_or(0);
    stage.check(
        &format!("the patient's node gave out {sent} blocks over bitswap"),
        sent > 0,
    )
}

/// A new result joins the standing grant while the node is online. Returns its id.
fn follow(stage: &mut Stage, samples: &Path, shared: usize) -> Result<String> {
    stage.chapter("a new result arrives and reaches the clinic through the standing grant");
    let before = stage.ids_patient()?;
    let file = samples.join("new-result.json");
    stage.patient(&["record", "add", &file.to_string_lossy()])?;
    let added = stage.new_id(&before)?;
    stage.clinic(&["inbox", "sync"])?;
    let listed = stage.list_clinic(&["record", "list", "--from", "Mira"])?;
    stage.check(
        "the clinic sees one record more",
        listed.len() == shared + 1,
    )?;
    let theirs = stage.clinic_bytes(&["record", "get", &added])?;
    stage.check(
        "and it is the new one, byte for byte",
        theirs == std::fs::read(&file)?,
    )?;
    Ok(added)
}

/// The grant is withdrawn; nothing that comes after reaches the clinic.
fn take_back(stage: &mut Stage, samples: &Path, seen: &str, shared: usize) -> Result<()> {
    stage.chapter(
        "the patient takes it back: shut out, sealed again, old blocks deleted, a receipt",
    );
    let grant = stage.list_patient(&["grant", "list"])?;
    let id = stage::text(grant.first().unwrap_or(&Value::Null), "grant")?;
    stage.patient(&["revoke", &id, "--yes"])?;
    let before = stage.ids_patient()?;
    let file = samples.join("after.json");
    stage.patient(&["record", "add", &file.to_string_lossy()])?;
    let after = stage.new_id(&before)?;
    stage.say("the clinic tries again, with everything it ever had:");
    stage.clinic_refused(&["inbox", "sync"], Exit::Terms)?;
    stage.clinic_fails(&["record", "list", "--from", "Mira"])?;
    stage.clinic_fails(&["record", "get", &after])?;
    let mine = stage.patient_bytes(&["record", "get", seen])?;
    stage.check("the patient still reads everything", !mine.is_empty())?;
    let report = stage.ask_patient(&["grant", "show", &id])?;
    let receipt = report["receipts"]
        .as_array()
        .and_then(|r| r.last())
        .cloned()
        .unwrap_or_default();
    let could = receipt["could_have_opened"].as_u64().unwrap_or(0) as usize;
    stage.check(
        &format!(
            "the receipt is honest: {could} records could have been read, and that cannot be undone"
        ),
        could == shared + 1,
    )
}

/// The audit log says what happened, and proves it.
fn prove(stage: &mut Stage) -> Result<()> {
    stage.chapter("the audit log, recomputed from the blocks and checked against the signed root");
    stage.patient(&["audit", "log"])?;
    stage.patient(&["audit", "verify"])?;
    let log = stage.list_patient(&["audit", "log"])?;
    let has = |act: &str| log.iter().any(|entry| entry["act"] == act);
    for act in [
        "published",
        "granted",
        "joined",
        "revoked",
        "rekeyed",
        "receipt",
    ] {
        stage.check(&format!("the log has `{act}`"), has(act))?;
    }
    stage.patient(&["doctor", "--deep"])
}
