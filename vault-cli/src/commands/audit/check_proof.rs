//! `medvault audit check-proof`: for somebody who has no vault and no key, only the vault's id.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use vault_core::{AuditEntry, EntryProof, PublicKey, VaultId, log::MAX_PROOF_LEN};

use crate::context::Context;
use crate::error::{Error, Exit, Result};
use crate::output::{GOOD, paint};
use crate::{files, show, time};

/// Check a proof of one entry; needs no home
#[derive(Args)]
pub struct CheckProof {
    /// The proof, `-` for standard input
    #[arg(value_name = "FILE|-")]
    file: PathBuf,

    /// The vault's id or its owner's public key, known from elsewhere
    #[arg(long, value_name = "VAULT_ID")]
    vault: String,
}

/// Runs the command.
pub fn run(context: &Context, args: &CheckProof) -> Result<Exit> {
    // both are 32 bytes in the same text form, and the id is a hash of the key
    let vault: VaultId = args.vault.parse().map_err(|_| {
        Error::usage("this is neither a vault's id nor a public key").hint(
            "the patient finds the id in `medvault identity show`; it is not to be taken from the \
             proof itself",
        )
    })?;
    let text = files::read_text(&args.file, MAX_PROOF_LEN as u64)?;
    let proof = EntryProof::parse(&text)?;
    let proven = match proof.claimed_vault() == vault {
        true => proof.verify(&vault)?,
        false => proof.verify_owner(&PublicKey::from_bytes(*vault.as_bytes()))?,
    };
    let log = proven.checkpoint.unverified();
    let witnesses: Vec<&str> = proven.checkpoint.signatures()[..]
        .iter()
        .map(|line| line.name())
        .filter(|name| *name != log.origin)
        .collect();
    let entry = entry_json(&proven.entry)?;
    if context.out.json {
        context.out.json(&json!({
            "verified": true, "vault": proof.claimed_vault().to_string(), "entry": entry,
            "log_size": log.size, "log_root": log.root.to_string(),
            "signer": proven.signer.to_string(), "signer_replaced": !proven.signs_now,
            "unchecked_witnesses": witnesses,
        }))?;
        return Ok(Exit::Ok);
    }
    let mut out = format!(
        "{}: entry {} of {} in the audit log of vault {}\n\n",
        paint(GOOD, "the proof holds"),
        proven.entry.index,
        log.size,
        proof.claimed_vault()
    );
    out += &format!("when    {}\n", time::rfc3339(proven.entry.time));
    out += &format!("device  {}\n", proven.entry.device);
    out += &format!("act     {}\n", proven.entry.act.name());
    for (name, value) in entry["details"].as_object().into_iter().flatten() {
        out += &format!("        {name}: {}\n", words(value));
    }
    out += &format!("\nsigned by key {}", proven.signer);
    if !proven.signs_now {
        out += ", which was replaced since";
    }
    out.push('\n');
    if !witnesses.is_empty() {
        let count = show::count(witnesses.len() as u64, "countersignature");
        out += &format!("{count} not checked: {}\n", witnesses.join(", "));
    }
    context.out.print(&out)?;
    Ok(Exit::Ok)
}

/// An entry without a vault that knows names: every key, id and hash in its text form.
fn entry_json(entry: &AuditEntry) -> Result<Value> {
    let act = serde_json::to_value(&entry.act).map_err(std::io::Error::from)?;
    let details = match act {
        Value::Object(act) => act.into_iter().next().map(|(_, fields)| fields),
        _ => None,
    };
    Ok(json!({
        "index": entry.index, "time": time::rfc3339(entry.time),
        "device": entry.device.to_string(), "act": entry.act.name(),
        "details": details.map(readable),
    }))
}

/// Byte strings, which JSON has as lists of numbers, in the text form of ids.
fn readable(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let bytes: Option<Vec<u8>> = items
                .iter()
                .map(|item| item.as_u64().and_then(|n| u8::try_from(n).ok()))
                .collect();
            match bytes {
                Some(bytes) if bytes.len() == 32 || bytes.len() == 16 => base32(&bytes).into(),
                _ => items.into_iter().map(readable).collect(),
            }
        }
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, readable(value)))
            .collect(),
        other => other,
    }
}

/// RFC 4648 base32 in lower case without padding, as ids are written.
fn base32(bytes: &[u8]) -> String {
    match (<[u8; 32]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
        (Ok(bytes), _) => PublicKey::from_bytes(bytes).to_string(),
        (_, Ok(bytes)) => vault_core::RecordId::from_bytes(bytes).to_string(),
        _ => String::new(),
    }
}

/// A detail on one line.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().to_string(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let all = fields
                .iter()
                .map(|(name, value)| format!("{name} {}", words(value)));
            all.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}
