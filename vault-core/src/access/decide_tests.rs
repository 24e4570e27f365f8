//! The decision, case by case and by the rules that hold for all cases.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::decide::{AccessDecision, AccessState, DenyReason, Standing, decide};
use super::request::{AccessRequest, RequestDraft};
use crate::block::Digest;
use crate::grant::{Condition, Conditions, Delivery, Extent, Scope, Terms, TermsDraft};
use crate::ids::{GrantId, VaultId, VersionId};
use crate::{Device, IdentityKey, RecipientKey, RecoveryWords};

const NOW: u64 = 1_790_000_000;
const GRANT: GrantId = GrantId::from_bytes([3; 16]);

fn reader() -> &'static (Device, RecipientKey) {
    static READER: OnceLock<(Device, RecipientKey)> = OnceLock::new();
    READER.get_or_init(|| {
        let device = Device::for_new_vault(&RecoveryWords::generate(), NOW);
        (device, IdentityKey::generate().recipient())
    })
}

fn version(number: u8) -> VersionId {
    VersionId::from_bytes([number; 16])
}

/// A request for versions 0 to `count`.
fn request(count: u8, purpose: Option<&str>, time: u64) -> AccessRequest {
    let (device, key) = reader();
    let draft = RequestDraft {
        vault: VaultId::from_bytes([1; 32]),
        grant: GRANT,
        terms: Digest::of(b"terms"),
        versions: (0..count).map(version).collect(),
        purpose: purpose.map(|purpose| purpose.parse().unwrap()),
        key: key.clone(),
        log: VaultId::from_bytes([1; 32]),
        seen: None,
    };
    AccessRequest::from_bytes(&draft.sign(device, time)).unwrap()
}

fn terms(conditions: impl IntoIterator<Item = Condition>) -> Terms {
    let draft = TermsDraft {
        vault: VaultId::from_bytes([1; 32]),
        grant: GRANT,
        extent: Extent::Standing,
        scope: Scope::default(),
        purpose: None,
        created: NOW - 1000,
        expires: None,
        delivery: Delivery::OnRequest,
        conditions: (conditions.into_iter()).fold(Conditions::default(), Conditions::with),
        may_deposit: false,
        agents: Vec::new(),
    };
    Terms::sign(draft, Vec::new(), reader().0.signing()).0
}

const FREE: AccessState = AccessState {
    standing: Standing::InForce,
    opens: 0,
    opens_today: 0,
    allowance: None,
};

/// Decides about two versions, both of which are in the grant.
fn about(terms: &Terms, request: &AccessRequest, state: AccessState) -> String {
    match decide(terms, request, true, NOW, &state, &|_| true) {
        AccessDecision::Permit(versions) => {
            assert_eq!(versions, request.versions());
            "permit".into()
        }
        AccessDecision::Deny(reason) => reason.code().into(),
    }
}

#[test]
fn standing_clock_and_terms_case_by_case() {
    let (free, two) = (terms([]), request(2, None, NOW));
    for (standing, expected) in [
        (Standing::InForce, "permit"),
        (Standing::NotAReader, "not-a-reader"),
        (Standing::Offered, "not-in-force"),
        (Standing::Withdrawn, "withdrawn"),
        (Standing::Ended, "expired"),
    ] {
        let state = AccessState { standing, ..FREE };
        assert_eq!(about(&free, &two, state), expected, "{standing:?}");
    }
    for (time, expected) in [
        (NOW - 600, "permit"),
        (NOW - 601, "clock"),
        (NOW + 600, "permit"),
        (NOW + 601, "clock"),
        (0, "clock"),
        (u64::MAX, "clock"),
    ] {
        assert_eq!(about(&free, &request(2, None, time), FREE), expected);
    }
    for (expires, expected) in [
        (Some(NOW + 1), "permit"),
        (Some(NOW), "expired"),
        (Some(0), "expired"),
    ] {
        let mut terms = free.clone();
        terms.expires = expires;
        assert_eq!(about(&terms, &two, FREE), expected, "{expires:?}");
    }
    let mut carried = free.clone();
    carried.delivery = Delivery::Carried;
    assert_eq!(about(&carried, &two, FREE), "not-in-force");
    let other = decide(&free, &two, false, NOW, &FREE, &|_| true);
    assert_eq!(other, AccessDecision::Deny(DenyReason::OtherTerms));
    for missing in 0..2 {
        let listed = |asked: &VersionId| *asked != version(missing);
        let part = decide(&free, &two, true, NOW, &FREE, &listed);
        assert_eq!(part, AccessDecision::Deny(DenyReason::NotInGrant));
    }
}

#[test]
fn purposes_case_by_case() {
    for (agreed, asked, expected) in [
        (None, None, "permit"),
        (None, Some("TREAT"), "permit"),
        (Some("TREAT"), Some("TREAT"), "permit"),
        (Some("TREAT"), None, "wrong-purpose"),
        (Some("TREAT"), Some("HRESCH"), "wrong-purpose"),
        (Some("TREAT"), Some("treat"), "wrong-purpose"),
    ] {
        let mut terms = terms([]);
        terms.purpose = agreed.map(|purpose: &str| purpose.parse().unwrap());
        let request = request(1, asked, NOW);
        assert_eq!(
            about(&terms, &request, FREE),
            expected,
            "{agreed:?} {asked:?}"
        );
    }
}

#[test]
fn conditions_case_by_case() {
    use Condition::{From, Opens, OpensPerDay, Unknown};
    let two = request(2, None, NOW);
    // condition, opens so far, of today, left to whoever decides
    let table: [(Condition, u64, u64, Option<u64>, &str); 17] = [
        (From(NOW), 0, 0, None, "permit"),
        (From(NOW + 1), 0, 0, None, "too-early"),
        (From(u64::MAX), 0, 0, None, "too-early"),
        (Opens(2), 0, 9, None, "permit"),
        (Opens(2), 1, 0, None, "no-opens-left"),
        (Opens(1), 0, 0, None, "no-opens-left"),
        (Opens(0), 0, 0, None, "no-opens-left"),
        (Opens(u64::MAX), u64::MAX - 2, 0, None, "permit"),
        (Opens(u64::MAX - 1), u64::MAX, 0, None, "no-opens-left"),
        (OpensPerDay(2), 9, 0, None, "permit"),
        (OpensPerDay(2), 0, 1, None, "no-opens-left-today"),
        (OpensPerDay(0), 0, 0, None, "no-opens-left-today"),
        (From(0), 0, 0, Some(2), "permit"),
        (From(0), 0, 0, Some(1), "no-opens-left"),
        (Opens(100), 0, 0, Some(0), "no-opens-left"),
        (Unknown("weather".into()), 0, 0, None, "unknown-term"),
        (Unknown("opens".into()), 0, 0, Some(100), "unknown-term"),
    ];
    for (condition, opens, opens_today, allowance, expected) in table {
        let state = AccessState {
            opens,
            opens_today,
            allowance,
            ..FREE
        };
        let terms = terms([condition.clone()]);
        assert_eq!(
            about(&terms, &two, state),
            expected,
            "{condition:?} {state:?}"
        );
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        (NOW - 2..NOW + 2).prop_map(Condition::From),
        (0..6u64).prop_map(Condition::Opens),
        (0..6u64).prop_map(Condition::OpensPerDay),
        prop::sample::select(&["weather", "moon"][..])
            .prop_map(|name| Condition::Unknown(name.into())),
    ]
}

fn name(condition: &Condition) -> &str {
    match condition {
        Condition::From(_) => "from",
        Condition::Opens(_) => "opens",
        Condition::OpensPerDay(_) => "opens-per-day",
        Condition::Unknown(name) => name,
    }
}

#[derive(Debug, Clone)]
struct Case {
    conditions: Vec<Condition>,
    expires: Option<u64>,
    agreed: Option<&'static str>,
    asked: Option<&'static str>,
    count: u8,
    time: u64,
    same_terms: bool,
    listed: u8,
    state: AccessState,
}

fn case() -> impl Strategy<Value = Case> {
    let purpose = || prop::option::of(prop::sample::select(&["TREAT", "HRESCH"][..]));
    let standing = prop_oneof![
        9 => Just(Standing::InForce),
        1 => prop::sample::select(&[Standing::Offered, Standing::Withdrawn][..]),
    ];
    let state = (standing, 0..4u64, 0..4u64, prop::option::of(0..6u64)).prop_map(
        |(standing, opens, opens_today, allowance)| AccessState {
            standing,
            opens,
            opens_today,
            allowance,
        },
    );
    (
        prop::collection::vec(condition(), 0..3),
        prop::option::of(NOW - 1..NOW + 3),
        purpose(),
        purpose(),
        1..4u8,
        NOW - 602..NOW + 2,
        prop::bool::weighted(0.9),
        prop_oneof![3 => Just(4u8), 1 => 0..4u8],
        state,
    )
        .prop_map(
            |(conditions, expires, agreed, asked, count, time, same_terms, listed, state)| Case {
                conditions,
                expires,
                agreed,
                asked,
                count,
                time,
                same_terms,
                listed,
                state,
            },
        )
}

impl Case {
    /// The versions that may leave; none when it is denied.
    fn given(&self) -> Vec<VersionId> {
        let mut terms = terms(self.conditions.clone());
        terms.expires = self.expires;
        terms.purpose = self.agreed.map(|purpose| purpose.parse().unwrap());
        let request = request(self.count, self.asked, self.time);
        let listed = |version: &VersionId| version.as_bytes()[0] < self.listed;
        let decide = || decide(&terms, &request, self.same_terms, NOW, &self.state, &listed);
        let decision = decide();
        assert_eq!(decide(), decision, "the same question has the same answer");
        match decision {
            AccessDecision::Deny(_) => Vec::new(),
            AccessDecision::Permit(versions) => {
                assert_eq!(versions, request.versions(), "as a whole or not at all");
                assert!(versions.iter().all(listed));
                versions
            }
        }
    }

    fn narrower(&self, change: impl FnOnce(&mut Self)) -> Result<(), TestCaseError> {
        let mut narrowed = self.clone();
        change(&mut narrowed);
        let (wide, narrow) = (self.given(), narrowed.given());
        prop_assert!(narrow.is_empty() || narrow == wide, "{narrowed:?}");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_condition_never_opens_more(case in case(), more in condition()) {
        prop_assume!(case.conditions.iter().all(|known| name(known) != name(&more)));
        case.narrower(|case| case.conditions.push(more))?;
    }

    #[test]
    fn an_unknown_condition_always_denies(case in case(), at in 0..3usize) {
        let mut case = case;
        let at = at.min(case.conditions.len());
        case.conditions.insert(at, Condition::Unknown("weather".into()));
        prop_assert!(case.given().is_empty());
    }

    #[test]
    fn less_of_anything_never_opens_more(case in case(), which in 0..9u8, by in 1..4u64) {
        case.narrower(|case| match which {
            0 => case.state.opens += by,
            1 => case.state.opens_today += by,
            2 => case.state.allowance = Some(case.state.allowance.map_or(by, |left| left.saturating_sub(by))),
            3 => case.expires = Some(case.expires.map_or(NOW + by, |end| end - by)),
            4 => case.same_terms = false,
            5 => case.listed = case.listed.saturating_sub(by as u8),
            6 => case.state.standing = Standing::Withdrawn,
            7 => case.agreed = Some(case.agreed.unwrap_or("HRESCH")),
            _ => for condition in &mut case.conditions {
                match condition {
                    Condition::From(time) => *time += by,
                    Condition::Opens(limit) | Condition::OpensPerDay(limit) => {
                        *limit = limit.saturating_sub(by);
                    }
                    Condition::Unknown(_) => {}
                }
            },
        })?;
    }
}
