//! What an import needs to know beside the files: the patient, issuers' keys, sensitive codes.

use std::path::{Path, PathBuf};

use vault_core::Vault;
use vault_core::record::{FHIR_JSON, Sensitivity};
use vault_formats::{Door, IssuerKeys, Moment, Person, SamePerson};

use crate::app::App;
use crate::error::{Error, Exit, Result};
use crate::time;

/// Patient resources that are looked at, the oldest first.
const MOST_PATIENTS: usize = 20;
/// Longest file of keys, in bytes.
const MAX_KEYS_LEN: u64 = 1 << 20;

/// What an import needs to know.
pub struct Intake {
    keys: IssuerKeys,
    sensitivity: Sensitivity,
    owner: Person,
    patient: Vec<Person>,
}

impl Intake {
    /// Reads the key files, else those of the settings, and the patient's own resources.
    ///
    /// # Errors
    /// `issuer-keys`; records that cannot be read.
    pub fn new(app: &App, vault: &mut Vault, key_files: &[PathBuf]) -> Result<Self> {
        let owner = Person::named(vault.name());
        Self::about(app, key_files, owner, patient(vault)?)
    }

    /// The same for files about somebody else, of whom only the name is known.
    ///
    /// # Errors
    /// `issuer-keys`.
    pub fn for_other(app: &App, key_files: &[PathBuf], name: &str) -> Result<Self> {
        Self::about(app, key_files, Person::named(name), Vec::new())
    }

    fn about(
        app: &App,
        key_files: &[PathBuf],
        owner: Person,
        patient: Vec<Person>,
    ) -> Result<Self> {
        let config = &app.config().import;
        let files = match key_files.is_empty() {
            true => &config.issuer_keys[..],
            false => key_files,
        };
        let mut keys = IssuerKeys::default();
        for file in files {
            keys.merge(read_keys(file)?);
        }
        Ok(Self {
            keys,
            sensitivity: app.sensitivity(),
            owner,
            patient,
        })
    }

    /// A door that knows this.
    pub fn door(&self) -> Door<'_> {
        let when = Moment(time::now());
        let mut door = Door::new(&self.keys, &self.sensitivity, when, self.patient.clone());
        door.owner = Some(self.owner.clone());
        door
    }
}

fn read_keys(path: &Path) -> Result<IssuerKeys> {
    let len = path.metadata().map_err(|e| Error::file(path, &e))?.len();
    let bad = |why: String| {
        let what = format!("{}: {why}", path.display());
        Error::new(Exit::Failure, "issuer-keys", what)
            .hint("a JWK set as an issuer publishes it under /.well-known/jwks.json is needed")
    };
    if len > MAX_KEYS_LEN {
        return Err(bad("too long for a set of keys".to_owned()));
    }
    let text = std::fs::read(path).map_err(|e| Error::file(path, &e))?;
    IssuerKeys::from_jwks(&text, None).map_err(|error| bad(error.to_string()))
}

/// Whom the vault is about, as its Patient resources say: those with the name that the vault was made
/// under or, where none has it, the first one and all that are the same person. Others got in with
/// somebody else's file.
fn patient(vault: &mut Vault) -> Result<Vec<Person>> {
    let records = vault.records()?;
    let patients = records.iter().filter(|entry| {
        entry.meta.kind.as_str() == "Patient" && entry.meta.media_type == FHIR_JSON
    });
    let opener = vault.opener();
    let mut people = Vec::new();
    for entry in patients.take(MOST_PATIENTS) {
        let mut text = zeroize::Zeroizing::new(Vec::new());
        opener.open(entry)?.copy_to(&mut *text)?;
        people.extend(Person::from_patient_json(&text));
    }
    let owner = Person::named(vault.name());
    let named = |person: &&Person| person.has_name_of(&owner);
    if people.iter().any(|person| named(&person)) {
        return Ok(people.iter().filter(named).cloned().collect());
    }
    let first = people.first().cloned();
    people.retain(|person| {
        first
            .as_ref()
            .is_some_and(|f| f.compare(person) == SamePerson::Same)
    });
    Ok(people)
}
