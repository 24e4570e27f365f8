//! Finding records among many.

use vault_core::Code;

use crate::table::{Row, Samples, Table, timed};
use crate::{Fallible, Plan, world};

pub fn find(plan: &Plan, table: &mut Table) -> Fallible<()> {
    let home = plan.dir.join("find");
    let mut vault = world::make_home(&home)?;
    world::add_made_up(&mut vault, plan.records)?;
    let device = std::sync::Arc::new(vault_core::Device::from_identity_text(
        &vault.device().to_identity_text(),
    )?);
    drop(vault);
    let (mut search, mut scan) = (Samples::new(), Samples::new());
    let wanted: Code = "nowhere".parse()?;
    for _ in 0..plan.runs {
        // from a closed vault to the hits, as `medvault record list --text "panel 42"` does
        let hits = timed(&mut search, || -> Fallible<usize> {
            let mut vault = world::open_home(&home, device.clone())?;
            let records = vault.records()?;
            let takes = |title: &str| title.to_lowercase().contains("panel 42");
            let hits = records.iter().filter(|entry| {
                takes(&entry.meta.title) || entry.meta.codes.iter().any(|c| c.matches(&wanted))
            });
            Ok(hits.count())
        })?;
        let scanned = timed(&mut scan, || -> Fallible<usize> {
            let mut vault = world::open_home(&home, device.clone())?;
            let (records, opener) = (vault.records()?, vault.opener());
            let mut hits = 0;
            for entry in &records {
                let mut content = Vec::new();
                opener.open(entry)?.copy_to(&mut content)?;
                let found = content.windows(9).any(|window| window == b"Panel 42\"");
                hits += usize::from(found);
            }
            Ok(hits)
        })?;
        if hits == 0 || hits != scanned {
            return Err(format!("{hits} hits, {scanned} by the scan").into());
        }
    }
    table.row(Row {
        what: format!(
            "find by words among {} records, opening the vault",
            plan.records
        ),
        figure: search.ms(),
        yardstick: format!("opening and searching every record: {}", scan.ms()),
        ratio: Some(search.median() / scan.median()),
        goal: "-".into(),
        met: None,
    });
    Ok(())
}
