//! Granting and revoking.

use vault_core::{RevokeLevel, RevokeTarget, Vault};

use crate::add::{settle, write_and_sync};
use crate::data;
use crate::table::{Row, Samples, Table, timed};
use crate::world;
use crate::{Fallible, Plan};

pub fn grant(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let home = plan.dir.join("grant");
    let mut vault = world::make_home(&home)?;
    world::add_made_up(&mut vault, plan.small)?;
    world::befriend(&mut vault, 1)?;
    let names = ["reader 0".to_owned()];
    let (mut share, mut plain) = (Samples::new(), Samples::new());
    let mut growth = 0;
    for _ in 0..plan.short_runs {
        let before = world::stored_len(&vault)?;
        settle();
        timed(&mut share, || {
            world::share(&mut vault, world::everything(), &names)
        })?;
        growth = world::stored_len(&vault)?.saturating_sub(before);
        let path = plan.dir.join("plain");
        timed(&mut plain, || write_and_sync(&path, growth.max(1)))?;
    }
    let each = growth as f64 / plan.small as f64;
    let goal_ms = 100.0;
    table.row(Row {
        what: format!("grant over {} records", plan.small),
        figure: share.ms(),
        yardstick: format!("write and sync of as many bytes: {}", plain.ms()),
        ratio: Some(share.median() / plain.median()),
        goal: format!("< {goal_ms} ms"),
        met: Some(share.median() * 1e3 < goal_ms),
    });
    table.row(Row {
        what: "all that a grant stores, for each record".into(),
        figure: format!("{each:.0} bytes"),
        yardstick: "-".into(),
        ratio: None,
        goal: "<= 200 bytes".into(),
        met: (!plan.quick).then_some(each <= 200.0),
    });
    Ok(())
}

pub fn revoke(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let counts = if plan.quick {
        vec![100, plan.small]
    } else {
        vec![100, 1_000, plan.small]
    };
    let mut first = None;
    for count in counts {
        let home = plan.dir.join(format!("revoke-{count}"));
        let mut vault = world::make_home(&home)?;
        world::add_made_up(&mut vault, count)?;
        let readers = world::befriend(&mut vault, 11)?;
        let names: Vec<String> = readers.into_iter().map(|(name, _)| name).collect();
        for others in [1, 10] {
            let mut stop = Samples::new();
            let mut plain = Samples::new();
            for _ in 0..plan.short_runs {
                revoke_once(&mut vault, &names[..=others], &mut stop)?;
                let path = plan.dir.join("plain");
                timed(&mut plain, || write_and_sync(&path, 256 << 10))?;
            }
            let base = *first.get_or_insert(stop.median());
            let ratio = stop.median() / base;
            table.row(Row {
                what: format!("revoke (R1), {count} records, {others} other readers"),
                figure: stop.ms(),
                yardstick: format!(
                    "first line {:.1} ms; write and sync of 256 KiB {}",
                    base * 1e3,
                    plain.ms()
                ),
                ratio: Some(ratio),
                goal: "constant: <= 1.50".into(),
                met: Some(ratio <= 1.5),
            });
        }
    }
    Ok(())
}

fn revoke_once(vault: &mut Vault, names: &[String], stop: &mut Samples) -> Fallible<()> {
    let shared = world::share(vault, world::everything(), names)?;
    let target = RevokeTarget::Contact(names[0].clone());
    settle();
    let done = timed(stop, || vault.revoke(&target, RevokeLevel::Stop))?;
    if done.len() != 1 {
        return Err("more than one grant was open".into());
    }
    vault.revoke(&RevokeTarget::Grant(shared.grant.id), RevokeLevel::Stop)?;
    Ok(())
}

pub fn rekey(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let folder = plan.dir.join("rekey-resources");
    let (paths, len) = data::resource_files(&folder, plan.small)?;
    let what = format!("re-key (R2) of {} resources", plan.small);
    rekey_one(plan, table, &what, len, |vault| {
        world::add_resources(vault, &paths)
    })?;
    std::fs::remove_dir_all(&folder)?;
    let input = plan.dir.join("rekey-large");
    data::noise_file(&input, plan.large)?;
    let what = format!("re-key (R2) of a record of {} MiB", plan.large >> 20);
    rekey_one(plan, table, &what, plan.large, |vault| {
        world::add_file(vault, &input)
    })?;
    std::fs::remove_file(&input)?;
    Ok(())
}

fn rekey_one(
    plan: &Plan,
    table: &mut Table,
    what: &str,
    len: u64,
    fill: impl Fn(&mut Vault) -> Fallible<()>,
) -> Fallible<()> {
    let (mut add, mut rekey) = (Samples::new(), Samples::new());
    let mut rekeyed = 0;
    for run in 0..plan.runs.min(3) {
        let home = plan.dir.join(format!("rekey-{run}"));
        let mut vault = world::make_home(&home)?;
        world::befriend(&mut vault, 2)?;
        settle();
        timed(&mut add, || fill(&mut vault))?;
        let names = ["reader 0".to_owned(), "reader 1".to_owned()];
        let shared = world::share(&mut vault, world::everything(), &names)?;
        let target = RevokeTarget::Contact(names[0].clone());
        settle();
        timed(&mut rekey, || -> Fallible<()> {
            vault.revoke(&target, RevokeLevel::Rekey)?;
            let receipt = vault.rekey(&shared.grant.id, &mut |_| {})?;
            rekeyed = receipt.rekeyed;
            Ok(())
        })?;
        drop(vault);
        std::fs::remove_dir_all(&home)?;
    }
    if rekeyed == 0 {
        return Err("nothing was re-keyed".into());
    }
    let ratio = add.median() / rekey.median();
    table.row(Row {
        what: what.into(),
        figure: rekey.rate(len),
        yardstick: format!("adding the same {}", add.rate(len)),
        ratio: Some(ratio),
        goal: ">= 0.70".into(),
        met: Some(ratio >= 0.7),
    });
    Ok(())
}
