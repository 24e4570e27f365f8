//! What kind of event each act is, in the codes of others.

use vault_core::Act;

/// Codes for one act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// DICOM, CID 400: code and meaning.
    pub(super) event: (&'static str, &'static str),
    /// DICOM, CID 401, where one fits.
    pub(super) change: Option<(&'static str, &'static str)>,
    /// ISO 21089 lifecycle event, where one fits.
    pub(super) lifecycle: Option<&'static str>,
    /// FHIR: `C`reate, `R`ead, `U`pdate, `D`elete or `E`xecute.
    pub(super) action: &'static str,
}

const ACTIVITY: (&str, &str) = ("110100", "Application Activity");
const EXPORT: (&str, &str) = ("110106", "Export");
const IMPORT: (&str, &str) = ("110107", "Import");
const RECORD: (&str, &str) = ("110110", "Patient Record");
const SECURITY: (&str, &str) = ("110113", "Security Alert");

const OBJECT: (&str, &str) = ("110135", "Object Security Attributes Changed");
const ROLES: (&str, &str) = ("110136", "Security Roles Changed");
const USER: (&str, &str) = ("110137", "User Security Attributes Changed");

/// The codes of an act.
pub(super) fn of(act: &Act) -> Kind {
    let kind = |event, change, lifecycle, action| Kind {
        event,
        change,
        lifecycle,
        action,
    };
    match act {
        Act::VaultCreated { .. } => kind(ACTIVITY, None, Some("originate"), "C"),
        Act::VaultRecovered { .. } => kind(ACTIVITY, None, Some("restore"), "U"),
        Act::ContactAdded { .. } => kind(SECURITY, Some(USER), None, "C"),
        Act::ContactVerified { .. } => kind(SECURITY, Some(USER), Some("verify"), "U"),
        Act::Published { .. } => kind(RECORD, None, Some("originate"), "C"),
        Act::Removed { .. } => kind(RECORD, None, Some("destroy"), "D"),
        Act::Granted { .. } => kind(SECURITY, Some(OBJECT), None, "C"),
        Act::Agreed { .. } => kind(SECURITY, Some(OBJECT), Some("attest"), "U"),
        Act::Joined { .. } | Act::Revoked { .. } | Act::Expired { .. } => {
            kind(SECURITY, Some(OBJECT), None, "U")
        }
        Act::Rekeyed { .. } => kind(SECURITY, Some(OBJECT), Some("encrypt"), "U"),
        Act::Receipt { .. } => kind(ACTIVITY, None, Some("report"), "C"),
        Act::Pinned { .. } => kind(EXPORT, None, Some("archive"), "E"),
        Act::Unpinned { .. } => kind(ACTIVITY, None, Some("destroy"), "D"),
        Act::PinVerified { .. } => kind(ACTIVITY, None, Some("verify"), "E"),
        Act::Released(_) | Act::Denied { .. } => kind(EXPORT, None, Some("disclose"), "R"),
        Act::Receipted { .. } => kind(EXPORT, None, Some("receive"), "E"),
        Act::AgentAdded { .. } => kind(SECURITY, Some(ROLES), None, "C"),
        Act::AgentRemoved { .. } => kind(SECURITY, Some(ROLES), None, "D"),
        Act::AgentReported { .. } => kind(ACTIVITY, None, Some("report"), "E"),
        Act::DepositLimit { .. } => kind(SECURITY, Some(USER), None, "U"),
        Act::Deposited { .. } => kind(IMPORT, None, Some("receive"), "C"),
        Act::DepositAccepted { .. } => kind(IMPORT, None, Some("originate"), "C"),
        Act::DepositDeclined { .. } => kind(IMPORT, None, Some("destroy"), "D"),
    }
}

/// The name that HL7 Terminology gives to a lifecycle event.
pub(super) fn lifecycle_name(code: &str) -> &'static str {
    match code {
        "archive" => "Archive Record Lifecycle Event",
        "attest" => "Attest Record Lifecycle Event",
        "destroy" => "Destroy/Delete Record Lifecycle Event",
        "disclose" => "Disclose Record Lifecycle Event",
        "encrypt" => "Encrypt Record Lifecycle Event",
        "originate" => "Originate/Retain Record Lifecycle Event",
        "receive" => "Receive/Retain Record Lifecycle Event",
        "report" => "Report (Output) Record Lifecycle Event",
        "restore" => "Restore Record Lifecycle Event",
        _ => "Verify Record Lifecycle Event",
    }
}
