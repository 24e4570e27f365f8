//! What the types of HealthKit mean.
//!
//! Sources: Apple developer documentation, HKQuantityTypeIdentifier, HKCategoryTypeIdentifier and
//! HKUnit; LOINC.

use vault_core::Label;

/// What is known about a type of sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name for people.
    pub(super) name: String,
    /// LOINC codes with their names.
    pub(super) loinc: &'static [(&'static str, &'static str)],
    /// A clinical measure: kept for each day, not for each month.
    pub(super) daily: bool,
    /// Samples add up to something, as steps do and weights do not.
    pub(super) cumulative: bool,
    /// What makes it sensitive.
    pub(super) label: Option<Label>,
}

type Codes = &'static [(&'static str, &'static str)];

/// Clinical measures: identifier without its prefix, name, LOINC codes.
const MEASURES: &[(&str, &str, Codes)] = &[
    (
        "AppleSleepingWristTemperature",
        "Wrist temperature during sleep",
        &[],
    ),
    (
        "AtrialFibrillationBurden",
        "Atrial fibrillation burden",
        &[],
    ),
    ("BasalBodyTemperature", "Basal body temperature", &[]),
    ("BloodAlcoholContent", "Blood alcohol content", &[]),
    ("BloodGlucose", "Blood glucose", &[]),
    (
        "BloodPressureDiastolic",
        "Diastolic blood pressure",
        &[DIASTOLIC],
    ),
    (
        "BloodPressureSystolic",
        "Systolic blood pressure",
        &[SYSTOLIC],
    ),
    (
        "BodyFatPercentage",
        "Body fat percentage",
        &[("41982-0", "Percentage of body fat Measured")],
    ),
    ("BodyMass", "Body weight", &[("29463-7", "Body weight")]),
    (
        "BodyMassIndex",
        "Body mass index",
        &[("39156-5", "Body mass index (BMI) [Ratio]")],
    ),
    (
        "BodyTemperature",
        "Body temperature",
        &[("8310-5", "Body temperature")],
    ),
    (
        "ForcedExpiratoryVolume1",
        "Forced expiratory volume in 1 second",
        &[],
    ),
    ("ForcedVitalCapacity", "Forced vital capacity", &[]),
    ("HeartRate", "Heart rate", &[("8867-4", "Heart rate")]),
    (
        "HeartRateRecoveryOneMinute",
        "Heart rate recovery in one minute",
        &[],
    ),
    (
        "HeartRateVariabilitySDNN",
        "Heart rate variability (SDNN)",
        &[(
            "80404-7",
            "R-R interval.standard deviation (Heart rate variability)",
        )],
    ),
    ("Height", "Body height", &[("8302-2", "Body height")]),
    ("InhalerUsage", "Inhaler usage", &[]),
    ("InsulinDelivery", "Insulin delivery", &[]),
    ("LeanBodyMass", "Lean body mass", &[]),
    (
        "OxygenSaturation",
        "Oxygen saturation",
        &[
            (
                "59408-5",
                "Oxygen saturation in Arterial blood by Pulse oximetry",
            ),
            ("2708-6", "Oxygen saturation in Arterial blood"),
        ],
    ),
    (
        "PeakExpiratoryFlowRate",
        "Peak expiratory flow",
        &[(
            "19935-6",
            "Maximum expiratory gas flow Respiratory system airway by Peak flow meter",
        )],
    ),
    (
        "PeripheralPerfusionIndex",
        "Peripheral perfusion index",
        &[],
    ),
    (
        "RespiratoryRate",
        "Respiratory rate",
        &[("9279-1", "Respiratory rate")],
    ),
    (
        "RestingHeartRate",
        "Resting heart rate",
        &[("40443-4", "Heart rate --resting")],
    ),
    ("VO2Max", "Maximal oxygen uptake (VO2max)", &[]),
    ("WaistCircumference", "Waist circumference", &[]),
    (
        "WalkingHeartRateAverage",
        "Average heart rate while walking",
        &[],
    ),
];

/// LOINC for the two values of a blood pressure.
pub(super) const SYSTOLIC: (&str, &str) = ("8480-6", "Systolic blood pressure");
pub(super) const DIASTOLIC: (&str, &str) = ("8462-4", "Diastolic blood pressure");

/// The type of a blood pressure: a pair of two samples.
pub(super) const PRESSURE: &str = "HKCorrelationTypeIdentifierBloodPressure";

/// Other types with a name or code of their own.
const OTHERS: &[(&str, &str, Codes)] = &[
    (
        "StepCount",
        "Steps",
        &[("55423-8", "Number of steps in unspecified time Pedometer")],
    ),
    (
        "DistanceWalkingRunning",
        "Walking and running distance",
        &[],
    ),
    ("SleepAnalysis", "Sleep", &[]),
];

/// Beginnings of quantities that are summed up (HKQuantityAggregationStyle.cumulative).
const CUMULATIVE: &[&str] = &[
    "ActiveEnergyBurned",
    "AppleExerciseTime",
    "AppleMoveTime",
    "AppleStandTime",
    "BasalEnergyBurned",
    "Dietary",
    "DistanceCrossCountrySkiing",
    "DistanceCycling",
    "DistanceDownhillSnowSports",
    "DistancePaddleSports",
    "DistanceRowing",
    "DistanceSkatingSports",
    "DistanceSwimming",
    "DistanceWalkingRunning",
    "DistanceWheelchair",
    "FlightsClimbed",
    "InhalerUsage",
    "InsulinDelivery",
    "NikeFuel",
    "NumberOfAlcoholicBeverages",
    "NumberOfTimesFallen",
    "PushCount",
    "StepCount",
    "SwimmingStrokeCount",
    "TimeInDaylight",
];

const PREFIXES: &[&str] = &[
    "HKQuantityTypeIdentifier",
    "HKCategoryTypeIdentifier",
    "HKCorrelationTypeIdentifier",
    "HKScoredAssessmentTypeIdentifier",
    "HKWorkoutActivityType",
    "HKDataType",
];

/// Parts of identifiers that make a type sensitive.
const SENSITIVE: &[(&str, &str)] = &[
    ("Alcohol", "ETH"),
    ("Anxiety", "PSY"),
    ("Depress", "PSY"),
    ("GAD7", "PSY"),
    ("MoodChanges", "PSY"),
    ("PHQ9", "PSY"),
    ("ScoredAssessment", "PSY"),
    ("StateOfMind", "PSY"),
    ("BasalBodyTemperature", "SEX"),
    ("Bleeding", "SEX"),
    ("CervicalMucus", "SEX"),
    ("Contracept", "SEX"),
    ("Lactation", "SEX"),
    ("Menstrua", "SEX"),
    ("Ovulation", "SEX"),
    ("Pregnan", "SEX"),
    ("Progesterone", "SEX"),
    ("Sexual", "SEX"),
    ("Vaginal", "SEX"),
];

/// An identifier without what all of its sort begin with.
pub(super) fn bare(identifier: &str) -> &str {
    let stripped = PREFIXES
        .iter()
        .find_map(|prefix| identifier.strip_prefix(prefix));
    stripped
        .filter(|rest| !rest.is_empty())
        .unwrap_or(identifier)
}

/// What makes a type or an element with this name sensitive.
pub(super) fn label(identifier: &str) -> Option<Label> {
    let found = SENSITIVE.iter().find(|(part, _)| identifier.contains(part));
    found.and_then(|(_, label)| Label::new(label).ok())
}

impl Kind {
    /// What is known about an identifier; of an unknown one, what its name says.
    pub(super) fn of(identifier: &str) -> Self {
        let name = bare(identifier);
        let quantity = identifier.starts_with("HKQuantityTypeIdentifier");
        let known =
            |list: &'static [(&str, &str, Codes)]| list.iter().find(|known| known.0 == name);
        let measure = known(MEASURES).filter(|_| quantity);
        let found = measure.or_else(|| known(OTHERS));
        Self {
            name: found.map_or_else(|| words(name), |known| known.1.to_owned()),
            loinc: found.map_or(&[], |known| known.2),
            daily: measure.is_some() || identifier == PRESSURE,
            cumulative: quantity && CUMULATIVE.iter().any(|begin| name.starts_with(begin)),
            label: label(identifier),
        }
    }

    /// The LOINC codes of a value in this unit.
    pub(super) fn codes(&self, identifier: &str, ucum: Option<&str>) -> Codes {
        if bare(identifier) != "BloodGlucose" {
            return self.loinc;
        }
        match ucum {
            Some("mg/dL") => &[("2339-0", "Glucose [Mass/volume] in Blood")],
            Some("mmol/L") => &[("15074-8", "Glucose [Moles/volume] in Blood")],
            _ => &[],
        }
    }
}

/// `ActiveEnergyBurned` as `Active energy burned`. Runs of capitals stay as they are.
pub(super) fn words(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let starts = c.is_uppercase()
            && before.is_some_and(|b| !b.is_uppercase() || after.is_some_and(|a| a.is_lowercase()));
        if starts && before.is_some_and(|b| !b.is_whitespace()) {
            out.push(' ');
        }
        if starts && after.is_some_and(|a| a.is_lowercase()) {
            out.extend(c.to_lowercase());
        } else {
            out.push(*c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::units;
    use super::*;

    #[test]
    fn identifiers_in_words() {
        for (name, expected) in [
            ("ActiveEnergyBurned", "Active energy burned"),
            ("VO2Max", "VO2 max"),
            ("HeartRateVariabilitySDNN", "Heart rate variability SDNN"),
            ("UVExposure", "UV exposure"),
            ("lower", "lower"),
            ("", ""),
            ("\u{c9}t\u{e9}", "\u{c9}t\u{e9}"),
        ] {
            let shown = words(name);
            assert_eq!(shown, expected, "{name}");
        }
    }

    #[test]
    fn kinds() {
        let weight = Kind::of("HKQuantityTypeIdentifierBodyMass");
        assert!(weight.daily && !weight.cumulative && weight.label.is_none());
        assert_eq!(weight.loinc, [("29463-7", "Body weight")]);
        let steps = Kind::of("HKQuantityTypeIdentifierStepCount");
        assert!(!steps.daily && steps.cumulative);
        let water = Kind::of("HKQuantityTypeIdentifierDietaryWater");
        assert!(water.cumulative);
        assert_eq!(water.name, "Dietary water");
        // a category is no measure, whatever it is called
        assert!(!Kind::of("HKCategoryTypeIdentifierHeartRate").daily);
        assert!(Kind::of(PRESSURE).daily);
    }

    #[test]
    fn glucose_by_its_unit() {
        let hk = "HKQuantityTypeIdentifierBloodGlucose";
        let kind = Kind::of(hk);
        let code = |unit: &str| kind.codes(hk, units::ucum(unit)).first().map(|code| code.0);
        assert_eq!(code("mg/dL"), Some("2339-0"));
        assert_eq!(code("mmol<180.1558800000541>/L"), Some("15074-8"));
        assert_eq!(code("g/L"), None);
    }

    #[test]
    fn what_is_sensitive() {
        let code = |name: &str| label(name).map(|label| label.to_string());
        for (name, expected) in [
            ("HKCategoryTypeIdentifierSexualActivity", "SEX"),
            ("HKCategoryTypeIdentifierMenstrualFlow", "SEX"),
            ("HKCategoryTypeIdentifierIntermenstrualBleeding", "SEX"),
            ("HKCategoryTypeIdentifierPregnancyTestResult", "SEX"),
            ("HKCategoryTypeIdentifierContraceptive", "SEX"),
            ("HKQuantityTypeIdentifierNumberOfAlcoholicBeverages", "ETH"),
            ("HKQuantityTypeIdentifierBloodAlcoholContent", "ETH"),
            ("HKScoredAssessmentTypeIdentifierPHQ9", "PSY"),
            ("StateOfMind", "PSY"),
        ] {
            assert_eq!(code(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(code("HKQuantityTypeIdentifierHeartRate"), None);
        assert_eq!(code("HKCategoryTypeIdentifierSleepAnalysis"), None);
    }
}
