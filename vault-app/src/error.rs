//! What went wrong, in words for people, a code for programs, and an exit code for scripts.

mod access;

use std::fmt;

use vault_core::{
    AgentAddressError, BodyError, CardError, EntryProofError, EnvelopeError, EvidenceError,
    FollowError, IdentityFileError, InboxError, QrError, SourceError, StorageError, StoreError,
    TicketError, VaultError, WordsError,
};

/// The class of an error. Its number is the exit code of the command `medvault`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is done.
    Ok = 0,
    /// Something else failed.
    Failure = 1,
    /// What was asked for is not understood, or cannot be.
    Usage = 2,
    /// What was named is not there, or the name fits several.
    NotFound = 3,
    /// Some inputs were refused; the rest is done. Or what was given does not decide the question.
    Partial = 4,
    /// The passphrase or the identity is wrong.
    Identity = 5,
    /// The home cannot be used.
    Home = 6,
    /// The network failed, or the other side is offline.
    Network = 7,
    /// The terms forbid it.
    Terms = 8,
    /// Something is damaged, altered, older than known or not signed.
    Integrity = 9,
}

/// The result of most functions here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed.
#[derive(Debug)]
pub struct Error {
    /// Its class.
    pub exit: Exit,
    /// A short name for programs, such as `wrong-passphrase`.
    pub code: &'static str,
    /// What went wrong.
    pub message: String,
    /// What to do about it, in the words of the command `medvault`.
    pub hint: Option<String>,
}

impl Error {
    /// An error without a hint.
    pub fn new(exit: Exit, code: &'static str, message: impl fmt::Display) -> Self {
        Self {
            exit,
            code,
            message: message.to_string(),
            hint: None,
        }
    }

    /// What was asked for cannot be.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    /// A file could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let mut this = Self::from_io(error);
        this.message = format!("{}: {}", path.display(), this.message);
        this
    }

    /// What the system refused.
    pub fn from_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        let text = error.to_string();
        let plain = text.split(" (os error").next().unwrap_or_default();
        let message = plain.to_lowercase();
        if is_full(error) {
            return Self::new(Exit::Home, "disk-full", message)
                .hint("free some space and run the command again; nothing was lost");
        }
        match error.kind() {
            Kind::BrokenPipe => Self::new(Exit::Ok, "broken-pipe", message),
            Kind::NotFound => Self::new(Exit::NotFound, "no-such-file", message),
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => {
                Self::new(Exit::Failure, "no-permission", message)
            }
            _ => Self::new(Exit::Failure, "io", message),
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether whoever read our output has gone; then there is nobody to tell.
    pub fn is_silent(&self) -> bool {
        self.code == "broken-pipe"
    }
}

/// Whether there was no room for what was to be written, also where another error says so.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as Kind;
    let full = |error: &std::io::Error| {
        matches!(
            error.kind(),
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge
        )
    };
    let mut inner: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|e| e as _);
    while let Some(one) = inner {
        let io = match one.downcast_ref::<StoreError>() {
            Some(StoreError::Io(io)) => Some(io),
            _ => one.downcast_ref::<std::io::Error>(),
        };
        if io.is_some_and(full) {
            return true;
        }
        inner = one.source();
    }
    full(error)
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::from_io(&error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(error) => home_io("block store", &error),
            StoreError::Remote(text) => Self::new(Exit::Network, "kubo", text).hint(
                "is this the RPC of a Kubo that runs (`ipfs daemon`), and its token given with \
                       `--ipfs-token-file`?",
            ),
            other => Self::new(Exit::Integrity, "damaged", other)
                .hint("run `medvault doctor --deep` to see what is left"),
        }
    }
}

/// What to do when a node gives no blocks to this reader.
pub(crate) const REFUSED: &str = "ask the patient whether the grant is still in force, and see \
                                  whether this machine's clock is right";

/// A failure inside the home.
fn home_io(what: &str, error: &std::io::Error) -> Error {
    let inner = Error::from_io(error);
    Error {
        exit: Exit::Home,
        message: format!("{what}: {}", inner.message),
        code: match inner.code {
            "no-such-file" => "home-incomplete",
            "broken-pipe" | "io" => "home-io",
            code => code,
        },
        hint: inner.hint,
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        let text = error.to_string();
        match error {
            StorageError::Store(error) => error.into(),
            StorageError::Io { what, error } => home_io(what, &error),
            StorageError::InUse => Self::new(Exit::Home, "home-in-use", text)
                .hint("wait until the other command is done and run this one again"),
            StorageError::Newer { .. } => Self::new(Exit::Home, "home-newer", text)
                .hint("use a medvault at least as new as the one that wrote the home"),
            StorageError::NoVault => Self::new(Exit::Home, "no-home", text)
                .hint("`medvault init` makes one; `--home DIR` names another place"),
            StorageError::Exists => {
                Self::new(Exit::Home, "home-exists", text).hint("`--home DIR` names another place")
            }
        }
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        let text = error.to_string();
        match error {
            SourceError::Missing(_) => Self::new(Exit::Integrity, "block-missing", text)
                .hint("run `medvault doctor --deep` to see what is affected"),
            SourceError::Store(error) => error.into(),
            SourceError::Network(_) => Self::new(Exit::Network, "network", text)
                .hint("is the other side online? run the command again later"),
            SourceError::Refused(_) => Self::new(Exit::Terms, "refused", text).hint(REFUSED),
        }
    }
}

impl From<CardError> for Error {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Name => Self::usage("this name cannot be used: one line, at most 100 bytes"),
            CardError::NotACard => Self::new(Exit::Failure, "not-a-card", error)
                .hint("ask for the text that `medvault identity show --card -` prints"),
            other => Self::new(Exit::Integrity, "bad-card", other)
                .hint("the card was altered or cut off: ask for it again"),
        }
    }
}

impl From<AgentAddressError> for Error {
    fn from(error: AgentAddressError) -> Self {
        match error {
            AgentAddressError::NotAnAddress => Self::new(Exit::Failure, "not-an-agent", error)
                .hint("ask for the line that `medvault agent address` prints"),
            other => Self::new(Exit::Integrity, "bad-agent-address", other)
                .hint("the address was altered or cut off: ask for it again"),
        }
    }
}

impl From<TicketError> for Error {
    fn from(error: TicketError) -> Self {
        let text = error.to_string();
        match error {
            TicketError::NotATicket => Self::new(Exit::Failure, "not-a-ticket", text)
                .hint("a ticket is the line that `medvault share` prints"),
            TicketError::ForSomeoneElse => Self::new(Exit::Terms, "ticket-for-someone-else", text)
                .hint("give the patient the card of this home: `medvault identity show --card -`"),
            TicketError::Expired(_) => Self::new(Exit::Terms, "ticket-expired", text)
                .hint("ask the patient to share again"),
            _ => Self::new(Exit::Integrity, "bad-ticket", text)
                .hint("the ticket was altered or cut off: ask for it again"),
        }
    }
}

impl From<QrError> for Error {
    fn from(error: QrError) -> Self {
        match error {
            QrError::Mixed => Self::new(Exit::Usage, "other-parts", error),
            QrError::Altered => Self::new(Exit::Integrity, "bad-parts", error),
            _ => Self::new(Exit::Usage, "bad-length", error),
        }
    }
}

impl From<FollowError> for Error {
    fn from(error: FollowError) -> Self {
        let text = error.to_string();
        match error {
            FollowError::Older { .. } => Self::new(Exit::Integrity, "older-head", text)
                .hint("what you had stays. ask the patient whether an old copy is being served"),
            FollowError::Forked(_) => Self::new(Exit::Integrity, "forked-head", text)
                .hint("what you had stays. tell the patient: someone shows different histories"),
            FollowError::Behind { .. } => Self::new(Exit::Integrity, "behind", text).hint(
                "what you had stays. ask the patient whether an old copy of the home was put back",
            ),
            FollowError::Stale(_) => Self::new(Exit::Integrity, "stale-head", text)
                .hint("the patient's own device must come online once"),
            FollowError::FromTheFuture(_) => {
                Self::new(Exit::Integrity, "clock", text).hint("set the clock and try again")
            }
            FollowError::NothingShared => Self::new(Exit::Terms, "nothing-shared", text)
                .hint("ask the patient to share again"),
            FollowError::Expired | FollowError::NotNamed => {
                Self::new(Exit::Terms, "grant-ended", text).hint("ask the patient to share again")
            }
            FollowError::Source(SourceError::Missing(_)) => {
                Self::new(Exit::Network, "block-missing", text)
                    .hint("`medvault inbox sync` asks for the newest state")
            }
            FollowError::Source(error) => error.into(),
            _ => Self::new(Exit::Integrity, "integrity", text),
        }
    }
}

impl From<InboxError> for Error {
    fn from(error: InboxError) -> Self {
        let text = error.to_string();
        match error {
            InboxError::Storage(error) => error.into(),
            InboxError::NameTaken(_) => Self::usage(text).hint("choose another with `--name NAME`"),
            InboxError::NotFound(_) => Self::new(Exit::NotFound, "no-sender", text)
                .hint("`medvault inbox list` shows who shares with you"),
            InboxError::Replaced => Self::new(Exit::Integrity, "replaced-device", text)
                .hint("ask the sender for a fresh ticket, and whether a device was lost"),
            InboxError::Own => Self::new(Exit::Terms, "own-ticket", text)
                .hint("give it to the person you share with"),
            _ => Self::new(Exit::Integrity, "bad-inbox", text)
                .hint("put the file `inbox` back from a copy, or accept the tickets again"),
        }
    }
}

impl From<EntryProofError> for Error {
    fn from(error: EntryProofError) -> Self {
        Self::new(Exit::Integrity, "bad-proof", error)
            .hint("do not believe it; ask for the proof again: `medvault audit prove ENTRY`")
    }
}

impl From<EvidenceError> for Error {
    fn from(error: EvidenceError) -> Self {
        Self::new(Exit::Integrity, "bad-evidence", error)
            .hint("it says nothing about the vault; ask for it again: `medvault audit evidence`")
    }
}

impl From<WordsError> for Error {
    fn from(error: WordsError) -> Self {
        Self::new(Exit::Identity, "bad-words", error).hint("compare them with the paper")
    }
}

impl From<IdentityFileError> for Error {
    fn from(error: IdentityFileError) -> Self {
        match error {
            IdentityFileError::Newer(_) => Self::new(Exit::Home, "home-newer", error),
            other => Self::new(Exit::Integrity, "bad-identity", other)
                .hint("put the identity file back from a copy, or use `medvault init --recover`"),
        }
    }
}

impl From<EnvelopeError> for Error {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::WrongPassphrase => Self::new(Exit::Identity, "wrong-passphrase", error)
                .hint("try again; without it, `medvault init --recover` takes the 24 words"),
            EnvelopeError::NotForYou => Self::new(Exit::Identity, "not-for-you", error),
            EnvelopeError::WorkFactor { .. } => Self::new(Exit::Usage, "work-factor", error),
            other => Self::new(Exit::Integrity, "bad-envelope", other),
        }
    }
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let text = error.to_string();
        let new = |exit, code| Self::new(exit, code, &text);
        match error {
            VaultError::Storage(error) => error.into(),
            VaultError::Source(error) => error.into(),
            VaultError::Card(error) => error.into(),
            VaultError::Envelope(error) => error.into(),
            VaultError::Body(BodyError::Io(error)) => Self::from_io(&error),
            VaultError::Body(BodyError::Source(error)) => error.into(),
            VaultError::OtherVault => new(Exit::Identity, "other-vault")
                .hint("the identity file and the vault in this home do not belong together"),
            VaultError::NoRecord(_) => {
                new(Exit::NotFound, "no-record").hint("`medvault record list` shows all of them")
            }
            VaultError::NoEntry(_) => {
                new(Exit::NotFound, "no-entry").hint("`medvault audit log` shows all of them")
            }
            VaultError::NoGrant(_) => {
                new(Exit::NotFound, "no-grant").hint("`medvault grant list` shows all of them")
            }
            VaultError::NoContact(_) => new(Exit::NotFound, "no-contact").hint(
                "`medvault contact list` shows all of them; `medvault contact add NAME FILE` adds one",
            ),
            VaultError::ContactExists(_) => new(Exit::Failure, "contact-exists"),
            VaultError::KeyChanged(_) => new(Exit::Integrity, "key-changed").hint(
                "ask the person, in person or by phone, before anything else. nothing was changed. \
                 if the new key is real, add the card under another name and verify it",
            ),
            VaultError::OlderCard(_) => new(Exit::Integrity, "older-card")
                .hint("the newer card stays; ask for the present one if in doubt"),
            VaultError::FingerprintMismatch(_) => new(Exit::Integrity, "fingerprint-mismatch")
                .hint("do not share anything with this contact; ask for the card again"),
            VaultError::GrantEnded(_) => new(Exit::Terms, "grant-ended"),
            VaultError::Acceptance(_) => new(Exit::Terms, "not-offered").hint(
                "`medvault grant list` shows what is offered, and to whom; `medvault grant ticket` \
                 prints the ticket again",
            ),
            VaultError::NotOnRequest => Self::usage(text).hint("add --on-request"),
            VaultError::CarriedOnly => new(Exit::Terms, "on-request")
                .hint("hand over the ticket: `medvault grant ticket GRANT`"),
            VaultError::EmptyScope => new(Exit::NotFound, "empty-scope")
                .hint("`medvault record list` shows what there is; add `--dry-run` to see the choice"),
            VaultError::NotAnAgent(_) => new(Exit::Terms, "not-an-agent").hint(
                "`medvault agent list` shows the agents; who may become one is said when sharing: \
                 `medvault share --on-request --agent NAME`",
            ),
            VaultError::NoAllowance => Self::usage(text).hint("add `--opens N`"),
            VaultError::TooManyOpens { .. } => new(Exit::Terms, "too-many-opens")
                .hint("`medvault agent list` shows what the others may give"),
            VaultError::Report(_) => new(Exit::Integrity, "bad-report").hint(
                "nothing of it was entered. ask whoever runs the agent whether an old copy is in use",
            ),
            VaultError::AlreadyExpired => Self::usage(text),
            VaultError::NoReader => Self::usage(text).hint("name one with `--with NAME`"),
            VaultError::NothingToRecover => new(Exit::NotFound, "nothing-to-recover").hint(
                "are these the words of this vault, and are all of its blocks among the given ones?",
            ),
            VaultError::Incomplete(_) => new(Exit::Integrity, "incomplete").hint(
                "`medvault doctor --deep` shows what they hold; `medvault restore` puts them back \
                 from a backup",
            ),
            VaultError::Conflict => {
                new(Exit::Home, "conflict").hint("run the command again; nothing was changed")
            }
            _ => new(Exit::Integrity, "integrity")
                .hint("run `medvault doctor --deep` to see what is affected"),
        }
    }
}
