//! The units of HealthKit.
//!
//! Sources: Apple developer documentation, HKUnit; UCUM.

use super::decimal::Decimal;

/// A unit of HealthKit in UCUM, where it is known.
pub(super) fn ucum(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "%" => "%",
        "Cal" | "kcal" => "kcal",
        "IU" => "[iU]",
        "J" => "J",
        "L" => "L",
        "L/min" => "L/min",
        "L/s" => "L/s",
        "W" => "W",
        "cm" => "cm",
        "count" => "{count}",
        "count/min" => "/min",
        "count/s" => "/s",
        "cup_us" => "[cup_us]",
        "fl_oz_imp" => "[foz_br]",
        "fl_oz_us" => "[foz_us]",
        "pt_imp" => "[pt_br]",
        "pt_us" => "[pt_us]",
        "dBASPL" => "dB[SPL]",
        "day" | "d" => "d",
        "degC" => "Cel",
        "degF" => "[degF]",
        "ft" => "[ft_i]",
        "ft/s" => "[ft_i]/s",
        "g" => "g",
        "hr" => "h",
        "in" => "[in_i]",
        "kJ" => "kJ",
        "kPa" => "kPa",
        "kcal/hr·kg" | "kcal/(kg·hr)" | "kcal/(kg*hr)" => "kcal/h/kg",
        "kg" => "kg",
        "kg/m2" => "kg/m2",
        "km" => "km",
        "km/hr" => "km/h",
        "lb" => "[lb_av]",
        "lux" => "lx",
        "m" => "m",
        "m/s" => "m/s",
        "mL" => "mL",
        "mL/min·kg" | "mL/(kg·min)" | "mL/(kg*min)" => "mL/min/kg",
        "mcS" => "uS",
        "mcg" => "ug",
        "mg" => "mg",
        "mg/dL" => "mg/dL",
        "mi" => "[mi_i]",
        "mi/hr" => "[mi_i]/h",
        "min" => "min",
        "mmHg" => "mm[Hg]",
        "mm" => "mm",
        "ms" => "ms",
        "oz" => "[oz_av]",
        "s" => "s",
        "st" => "[stone_av]",
        "yd" => "[yd_i]",
        "mmol/L" => "mmol/L",
        // the number is the molar mass of glucose that converts between both
        _ if unit.starts_with("mmol<") && unit.ends_with(">/L") => "mmol/L",
        _ => return None,
    })
}

/// The unit of a type. HealthKit writes the body mass index as a bare count, and means kg/m2
/// (HKQuantityTypeIdentifier.bodyMassIndex).
pub(super) fn of_type<'u>(identifier: &str, unit: &'u str) -> &'u str {
    match (identifier, unit) {
        ("HKQuantityTypeIdentifierBodyMassIndex", "count") => "kg/m2",
        _ => unit,
    }
}

/// A value as it counts in the unit that [`ucum`] gives: HealthKit writes percentages as fractions
/// of one (HKUnit.percent).
pub(super) fn in_ucum(value: Decimal, unit: &str) -> Option<Decimal> {
    if unit == "%" {
        value.shifted(2)
    } else {
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (unit, expected) in [
            ("count/min", Some("/min")),
            ("lb", Some("[lb_av]")),
            ("degF", Some("[degF]")),
            ("mL/min·kg", Some("mL/min/kg")),
            ("count", Some("{count}")),
            ("cup_us", Some("[cup_us]")),
            ("cup_imp", None),
            ("appleEffortScore", None),
            ("mmol<", None),
        ] {
            assert_eq!(ucum(unit), expected, "{unit}");
        }
        let shown = |value: &str, unit: &str| {
            in_ucum(Decimal::parse(value).unwrap(), unit)
                .unwrap()
                .to_string()
        };
        assert_eq!(shown("0.97", "%"), "97");
        assert_eq!(shown("0.97", "kg"), "0.97");
    }
}
