//! Errors, and the codes by which the program ends.

pub use vault_app::{Error, Exit, Result};

/// The exit codes, for the long help.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for another reason
  2  the command line is not understood
  3  not found, or the name fits several
  4  partial: some inputs were refused, the rest is done; or the evidence does not decide
  5  wrong passphrase or identity
  6  the home cannot be used: none there, one there already, in use, of a newer version,
     not writable, or the disk is full
  7  the network failed, or the other side is offline
  8  refused by the terms: for someone else, expired, revoked, or a contact that is not verified
  9  integrity: damaged blocks, an older or forked head, a bad signature or log";
