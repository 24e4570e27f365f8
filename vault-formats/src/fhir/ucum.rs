//! Which texts are codes of UCUM.
//!
//! Source systems put anything where a UCUM code belongs: `F`, `Puffs`, `tablet`, `mcg`. A text is
//! taken for a code only when it is one by the grammar, made of units that are used in medicine,
//! each with the prefixes that are usual for it. So `K/uL` (thousands, not kelvin), `ft` (feet, not
//! femtotonnes), `Gm` (grams, not gigametres) and `F` (not farad) are no codes here, though the bare
//! grammar would let them pass.
//!
//! Source: The Unified Code for Units of Measure, case sensitive codes, §2 (grammar) and tables.

/// Longest code that is looked at, in bytes.
const MAX_LEN: usize = 64;
/// Deepest nesting of brackets.
const MAX_DEPTH: usize = 4;

/// Units, each with the prefixes that it is used with; none, one at a time.
const UNITS: &[(&str, &[&str])] = &[
    ("g", &["k", "d", "c", "m", "u", "n", "p", "f"]),
    ("m", &["k", "d", "c", "m", "u", "n"]),
    ("L", &["d", "c", "m", "u", "n", "p", "f"]),
    ("l", &["d", "c", "m", "u", "n", "p", "f"]),
    ("s", &["m", "u", "n"]),
    ("min", &[]),
    ("h", &[]),
    ("d", &[]),
    ("wk", &[]),
    ("mo", &[]),
    ("a", &[]),
    ("mol", &["k", "m", "u", "n", "p", "f"]),
    ("eq", &["m", "u", "n"]),
    ("osm", &["m", "u"]),
    ("U", &["k", "m", "u", "n"]),
    ("kat", &["m", "u", "n", "p"]),
    ("%", &[]),
    ("Cel", &[]),
    ("Pa", &["k", "h", "m"]),
    ("bar", &["m"]),
    ("m[Hg]", &["m"]),
    ("m[H2O]", &["c", "m"]),
    ("J", &["k", "m"]),
    ("cal", &["k"]),
    ("W", &["k", "m"]),
    ("V", &["m", "u"]),
    ("Hz", &["k", "M"]),
    ("Gy", &["c", "m"]),
    ("Sv", &["m", "u"]),
    ("Bq", &["k", "M", "G"]),
    ("Ci", &["m", "u", "n"]),
    ("dyn", &[]),
    ("deg", &[]),
    ("10*", &[]),
    ("10^", &[]),
];
/// Units that are only used with one of their prefixes: by themselves they would be something else.
const PREFIXED: &[&str] = &["mA", "uA", "dB", "mT"];
/// Units in square brackets; the first ones take prefixes.
const METRIC_BRACKETS: &[&str] = &["[IU]", "[iU]"];
const BRACKETS: &[&str] = &[
    "[degF]",
    "[in_i]",
    "[in_us]",
    "[ft_us]",
    "[ft_i]",
    "[yd_i]",
    "[mi_i]",
    "[sin_i]",
    "[sft_i]",
    "[lb_av]",
    "[oz_av]",
    "[gr]",
    "[dr_av]",
    "[drp]",
    "[tsp_us]",
    "[tbs_us]",
    "[cup_us]",
    "[foz_us]",
    "[pt_us]",
    "[qt_us]",
    "[gal_us]",
    "[in_i'H2O]",
    "[in_i'Hg]",
    "[psi]",
    "[pH]",
    "[ppth]",
    "[ppm]",
    "[ppb]",
    "[HPF]",
    "[LPF]",
    "[CFU]",
    "[PFU]",
    "[FFU]",
    "[arb'U]",
    "[USP'U]",
    "[GPL'U]",
    "[MPL'U]",
    "[APL'U]",
    "[beth'U]",
    "[anti'Xa'U]",
    "[todd'U]",
    "[dye'U]",
    "[AU]",
    "[BAU]",
    "[Amb'a'1'U]",
    "[CCID_50]",
    "[TCID_50]",
    "[EID_50]",
    "[Lf]",
    "[D'ag'U]",
    "[S]",
    "[Ch]",
    "[diop]",
    "[Cal]",
    "[MET]",
];

/// Whether a text is a UCUM code, case sensitive, of units that medicine uses.
pub(crate) fn is_ucum(code: &str) -> bool {
    if code.len() > MAX_LEN {
        return false;
    }
    if code == "1" {
        return true;
    }
    let mut parser = Parser {
        rest: code,
        has_unit: false,
    };
    parser.term(0).is_some() && parser.rest.is_empty() && parser.has_unit
}

struct Parser<'a> {
    rest: &'a str,
    /// Whether there is more than numbers.
    has_unit: bool,
}

impl Parser<'_> {
    fn eat(&mut self, what: char) -> bool {
        let rest = self.rest.strip_prefix(what);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Components with `.` or `/` between them, and perhaps a `/` ahead.
    fn term(&mut self, depth: usize) -> Option<()> {
        let mut after_number = false;
        self.eat('/');
        loop {
            let is_number = self.component(depth)?;
            // `1.73` is no product of whole numbers
            if is_number && after_number {
                return None;
            }
            after_number = is_number && self.rest.starts_with('.');
            if !self.eat('.') && !self.eat('/') {
                return Some(());
            }
        }
    }

    /// One component; whether it is a bare number.
    fn component(&mut self, depth: usize) -> Option<bool> {
        if self.eat('(') {
            if depth >= MAX_DEPTH {
                return None;
            }
            self.term(depth + 1)?;
            return self.eat(')').then_some(false);
        }
        if self.rest.starts_with('{') {
            return self.annotation().map(|()| false);
        }
        let is_number = if let Some(rest) = after_unit(self.rest) {
            self.rest = rest;
            self.has_unit = true;
            self.exponent();
            false
        } else {
            let rest = self.rest.trim_start_matches(|c: char| c.is_ascii_digit());
            if rest.len() == self.rest.len() {
                return None;
            }
            self.rest = rest;
            true
        };
        if self.rest.starts_with('{') {
            self.annotation()?;
            return Some(false);
        }
        Some(is_number)
    }

    fn annotation(&mut self) -> Option<()> {
        let (inner, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        if !inner.bytes().all(|b| b.is_ascii_graphic() && b != b'{') {
            return None;
        }
        self.rest = rest;
        self.has_unit = true;
        Some(())
    }

    fn exponent(&mut self) {
        let digits = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() < digits.len() {
            self.rest = rest;
        }
    }
}

/// What follows the unit that a text begins with; a unit ends where a letter cannot follow.
fn after_unit(text: &str) -> Option<&str> {
    let with_prefixes = UNITS.iter().flat_map(|(unit, prefixes)| {
        let prefixes = std::iter::once(&"").chain(*prefixes);
        prefixes.map(|prefix| (*prefix, *unit))
    });
    let brackets = METRIC_BRACKETS
        .iter()
        .flat_map(|unit| ["", "k", "m", "u", "n"].map(|prefix| (prefix, *unit)));
    let whole = PREFIXED.iter().chain(BRACKETS).map(|unit| ("", *unit));
    with_prefixes
        .chain(brackets)
        .chain(whole)
        .find_map(|(prefix, unit)| {
            let rest = text.strip_prefix(prefix)?.strip_prefix(unit)?;
            let ends = |c: char| matches!(c, '.' | '/' | ')' | '{' | '+' | '-' | '0'..='9');
            rest.chars().next().is_none_or(ends).then_some(rest)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_ucum_are_known() {
        for code in [
            "1",
            "mg",
            "g",
            "kg",
            "ug",
            "L",
            "mL",
            "ml",
            "dL",
            "mm[Hg]",
            "cm[H2O]",
            "%",
            "/min",
            "{beats}/min",
            "[in_i]",
            "[in_us]",
            "[lb_av]",
            "[degF]",
            "Cel",
            "10*3/uL",
            "10^3/uL",
            "10*9/L",
            "10*12/L",
            "U/L",
            "[IU]",
            "[IU]/L",
            "u[IU]/mL",
            "m[IU]/mL",
            "mmol/L",
            "meq/L",
            "mosm/kg",
            "g/dL",
            "ng/mL",
            "pg",
            "fL",
            "kg/m2",
            "ug/kg/min",
            "mg/(24.h)",
            "mg/mg{creat}",
            "mL/min/{1.73_m2}",
            "ug{FEU}/mL",
            "{INR}",
            "{tablet}",
            "h",
            "d",
            "wk",
            "mo",
            "a",
            "cm",
            "mm/h",
            "[pH]",
            "/[HPF]",
            "[arb'U]/mL",
            "kPa",
            "dyn.s/cm5",
            "m.s-2",
            "100.mg",
            "1/min",
        ] {
            assert!(is_ucum(code), "{code}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            "F",
            "C",
            "K",
            "K/uL",
            "ft",
            "pt",
            "Gm",
            "gm",
            "MG",
            "Puffs",
            "puff",
            "tablet",
            "tab",
            "mcg",
            "mcg/mL",
            "IU",
            "mEq/L",
            "mmHg",
            "mm Hg",
            "lb",
            "lbs",
            "in",
            "oz",
            "cc",
            "gtt",
            "hr",
            "sec",
            "days",
            "mL/min/1.73m2",
            "mL/min/1.73",
            "10e3/uL",
            "x10*3/uL",
            "2",
            "1/2",
            "mg/",
            "mg//L",
            ".",
            "/",
            "(",
            "mg)",
            "(mg",
            "{",
            "{a",
            "{a b}",
            "{{a}}",
            "mg}",
            "m\u{b5}",
            "\u{b5}g",
            "((((((mg))))))",
            "m[H2O",
            "[x]",
            "mg {a}",
        ] {
            assert!(!is_ucum(text), "{text}");
        }
        assert!(!is_ucum(&"(".repeat(100_000)));
        assert!(!is_ucum(&"mg.".repeat(50)));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[mgL/.{}()\\[\\]0-9*^+'IUHe \u{b5}-]{0,70}") {
            let _ = is_ucum(&text);
        }
    }
}
