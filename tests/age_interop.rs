//! Other implementations of age open what we write, and we open what they write.
//!
//! The npm package `age-encryption` and the Go library `filippo.io/age`, both from their public
//! registries at the versions in `tests/interop`. They are installed into the build folder once.
//! Without `npm` or `go` the test is skipped, except where `CI` is set.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

#[path = "peers/tools.rs"]
mod tools;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use secrecy::{ExposeSecret as _, SecretString};
use vault_core::{
    EnvelopeError, IdentityKey, RecipientKey, decrypt_with, decrypt_with_passphrase, encrypt_to,
    encrypt_with_passphrase, open_envelope, seal_envelope,
};

/// Another implementation behind the small command line of `tests/interop/age_tool.*`.
struct Tool {
    name: &'static str,
    program: PathBuf,
    first_args: Vec<OsString>,
    packages: PathBuf,
}

impl Tool {
    fn try_run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.first_args).args(args);
        tools::run(command.env("AGE_TOOL_PACKAGES", &self.packages), input)
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        self.try_run(args, input)
            .unwrap_or_else(|error| panic!("{} {}: {error}", self.name, args[0]))
    }
}

fn npm() -> Option<Tool> {
    let packages = tools::npm(Path::new(tools::SOURCES), "npm")?;
    Some(Tool {
        name: "npm age-encryption",
        program: "node".into(),
        first_args: vec![Path::new(tools::SOURCES).join("age_tool.mjs").into()],
        packages,
    })
}

fn go() -> Option<Tool> {
    if !tools::available(&[("go", "version")]) {
        return None;
    }
    let name = format!("age_tool_go{}", env::consts::EXE_SUFFIX);
    let program = tools::folder("age").join(name);
    let mut build = Command::new("go");
    build.args(["build", "-trimpath", "-o"]).arg(&program);
    tools::must(build.arg(".").current_dir(tools::SOURCES));
    Some(Tool {
        name: "Go filippo.io/age",
        program,
        first_args: Vec::new(),
        packages: PathBuf::new(),
    })
}

fn check(tool: &Tool) {
    envelopes_open(tool);
    their_files_open(tool);
    passphrase_files_open(tool);
}

/// What we write opens with theirs, and only for its recipients.
fn envelopes_open(tool: &Tool) {
    let identity = IdentityKey::generate();
    let text = identity.to_text();
    let decrypt = ["decrypt", text.expose_secret()];

    let envelope = seal_envelope(&identity.recipient(), b"grant key").unwrap();
    let plaintext = tool.run(&decrypt, &envelope);
    assert_eq!(plaintext[..11], *b"\x00\x09grant key");
    assert!(plaintext.len() > 2048 && plaintext[11..].iter().all(|byte| *byte == 0));

    let content = content();
    let recipients = [
        IdentityKey::generate().recipient(),
        identity.recipient(),
        IdentityKey::generate().recipient(),
    ];
    let file = encrypt_to(&recipients, &content, false).unwrap();
    assert_eq!(tool.run(&decrypt, &file), content);

    let not_theirs = encrypt_to(&recipients[..1], &content, false).unwrap();
    assert!(tool.try_run(&decrypt, &not_theirs).is_err());
}

/// What they write to our recipients opens with ours, and their keys are keys to us.
fn their_files_open(tool: &Tool) {
    let keys = String::from_utf8(tool.run(&["keygen"], b"")).unwrap();
    let (identity, recipient) = keys.trim_end().split_once('\n').unwrap();
    let theirs = IdentityKey::from_text(identity).unwrap();
    assert_eq!(theirs.recipient(), recipient.parse().unwrap());

    let ours = IdentityKey::generate();
    let our_text = ours.recipient().to_string();
    let content = content();
    let file = tool.run(&["encrypt", recipient, &our_text], &content);
    for identity in [&theirs, &ours] {
        assert_eq!(
            *decrypt_with(identity, &file, content.len()).unwrap(),
            content
        );
    }
    let stranger = IdentityKey::generate();
    assert_eq!(
        decrypt_with(&stranger, &file, content.len()),
        Err(EnvelopeError::NotForYou)
    );

    let framed = [b"\x00\x05grant".as_slice(), &[0; 100]].concat();
    let envelope = tool.run(&["encrypt", &our_text], &framed);
    assert_eq!(**open_envelope(&ours, &envelope).unwrap(), *b"grant");
    assert_eq!(our_text.parse::<RecipientKey>().unwrap(), ours.recipient());
}

fn passphrase_files_open(tool: &Tool) {
    let (text, content) = ("correct horse – Straße", content());
    let passphrase = SecretString::from(text);
    let file = encrypt_with_passphrase(&content, &passphrase, 10).unwrap();
    assert_eq!(tool.run(&["decrypt-passphrase", text], &file), content);
    assert!(
        tool.try_run(&["decrypt-passphrase", "wrong"], &file)
            .is_err()
    );

    let file = tool.run(&["encrypt-passphrase", text], &content);
    let opened = decrypt_with_passphrase(&file, &passphrase, 10).unwrap();
    assert_eq!(*opened, content);
    assert_eq!(
        decrypt_with_passphrase(&file, &SecretString::from("wrong"), 10),
        Err(EnvelopeError::WrongPassphrase)
    );
}

/// Three chunks of an age payload, the last one not full.
fn content() -> Vec<u8> {
    (0..150_000_u32)
        .map(|number| (number % 251) as u8)
        .collect()
}

#[test]
fn npm_age_encryption() {
    if let Some(tool) = npm() {
        check(&tool);
    }
}

#[test]
fn go_age() {
    let Some(tool) = go() else { return };
    check(&tool);

    let identity = IdentityKey::generate();
    let armored = encrypt_to(&[identity.recipient()], b"text", true).unwrap();
    let text = identity.to_text();
    let opened = tool.run(&["decrypt-armored", text.expose_secret()], &armored);
    assert_eq!(opened, b"text");
}
