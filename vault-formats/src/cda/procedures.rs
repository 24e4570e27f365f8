//! Procedures, those done and those not.
//!
//! Source: C-CDA R2.1, Procedure Activity (Act, Observation, Procedure); FHIR R4, resource Procedure.

use serde_json::{Value, json};

use super::names::performers;
use super::reader::{Coded, Node, child, children, put_list};
use super::time::Interval;
use super::work::{Claim, Status, Work, status};

/// Derives Procedure.
pub(super) fn derive<'a>(work: &mut Work<'a>, node: Node<'a>) {
    if !matches!(node.tag_name().name(), "act" | "observation" | "procedure") {
        return;
    }
    let Some(claim) = work.claim(node) else {
        return;
    };
    let code = work.coded(child(node, "code"), node);
    let Some(code) = code.and_then(|code| code.concept()) else {
        return work.report("left out: a procedure entry whose procedure is not known");
    };
    let mut resource = work.begin(node, "subject");
    resource.insert("code".into(), code);
    let status = match (claim, status(node)) {
        (Claim::Denied, _) | (_, Status::Cancelled) => "not-done",
        (_, Status::Active) => "in-progress",
        (_, Status::Completed) => "completed",
        (_, Status::Aborted) => "stopped",
        (_, Status::Suspended) => "on-hold",
        (_, Status::Waiting) => "preparation",
        (_, Status::Unsaid | Status::Unknown) => "unknown",
    };
    resource.insert("status".into(), json!(status));
    Interval::of(child(node, "effectiveTime")).put(&mut resource, "performed");
    let sites = children(node, "targetSiteCode").filter_map(|site| {
        let site = work.anchors.coded(Some(site)).filter(Coded::is_known);
        site.and_then(|site| site.concept())
    });
    let sites: Vec<Value> = sites.take(8).collect();
    put_list(&mut resource, "bodySite", sites);
    if status == "not-done" {
        work.add("Procedure", resource);
        return;
    }
    put_list(&mut resource, "performer", performers(node));
    work.add("Procedure", resource);
}
