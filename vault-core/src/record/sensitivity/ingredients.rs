//! Names of medicines, for those that come with words and without a code that a rule knows.

/// Names in lower case and the label; each list in order.
const NAMES: &[(&str, &[&str])] = &[
    (
        "HIV",
        &[
            "abacavir",
            "atazanavir",
            "bictegravir",
            "biktarvy",
            "cabotegravir",
            "cobicistat",
            "darunavir",
            "delavirdine",
            "descovy",
            "didanosine",
            "dolutegravir",
            "doravirine",
            "efavirenz",
            "elvitegravir",
            "emtricitabine",
            "enfuvirtide",
            "etravirine",
            "fosamprenavir",
            "fostemsavir",
            "genvoya",
            "ibalizumab",
            "indinavir",
            "lamivudine",
            "lenacapavir",
            "lopinavir",
            "maraviroc",
            "nelfinavir",
            "nevirapine",
            "raltegravir",
            "rilpivirine",
            "saquinavir",
            "stavudine",
            "tenofovir",
            "tipranavir",
            "triumeq",
            "truvada",
            "zidovudine",
        ],
    ),
    (
        "ETH",
        &[
            "acamprosate",
            "antabuse",
            "buprenorphine",
            "disulfiram",
            "lofexidine",
            "methadone",
            "nalmefene",
            "naltrexone",
            "suboxone",
            "subutex",
            "vivitrol",
        ],
    ),
    (
        "PSY",
        &[
            "amisulpride",
            "amitriptyline",
            "aripiprazole",
            "asenapine",
            "atomoxetine",
            "brexpiprazole",
            "bupropion",
            "cariprazine",
            "chlorpromazine",
            "citalopram",
            "clomipramine",
            "clozapine",
            "desvenlafaxine",
            "dexmethylphenidate",
            "donepezil",
            "duloxetine",
            "escitalopram",
            "fluoxetine",
            "fluphenazine",
            "fluvoxamine",
            "galantamine",
            "haloperidol",
            "imipramine",
            "lisdexamfetamine",
            "lithium",
            "lurasidone",
            "memantine",
            "methylphenidate",
            "mirtazapine",
            "nortriptyline",
            "olanzapine",
            "paliperidone",
            "paroxetine",
            "perphenazine",
            "phenelzine",
            "quetiapine",
            "risperidone",
            "rivastigmine",
            "sertraline",
            "tranylcypromine",
            "trazodone",
            "venlafaxine",
            "vortioxetine",
            "ziprasidone",
        ],
    ),
    (
        "SEX",
        &[
            "clomiphene",
            "desogestrel",
            "dienogest",
            "drospirenone",
            "ethinyl",
            "ethinylestradiol",
            "ethynodiol",
            "etonogestrel",
            "kyleena",
            "levonorgestrel",
            "liletta",
            "mifepristone",
            "mirena",
            "misoprostol",
            "nexplanon",
            "norelgestromin",
            "norgestimate",
            "norgestrel",
            "nuvaring",
            "sildenafil",
            "tadalafil",
            "ulipristal",
            "vardenafil",
        ],
    ),
];

/// The label of a word.
fn of_word(word: &str) -> Option<&'static str> {
    let mut lower = [0u8; 20];
    let lower = lower.get_mut(..word.len()).filter(|_| word.len() > 5)?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    let found = NAMES.iter().find(|(_, names)| {
        names
            .binary_search_by(|name| name.as_bytes().cmp(lower))
            .is_ok()
    });
    found.map(|(label, _)| *label)
}

/// The labels of the medicines that a text names.
pub(super) fn labels(text: &str) -> impl Iterator<Item = &'static str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter_map(of_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_in_any_case() {
        let all = |text| labels(text).collect::<Vec<_>>();
        assert_eq!(all("Naltrexone 50 MG Oral Tablet"), ["ETH"]);
        assert_eq!(all("lithium(carbonate)/EMTRICITABINE"), ["PSY", "HIV"]);
        assert!(all("nirmatrelvir / ritonavir, lithiumx, methadone\u{e9}").is_empty());
        assert!(NAMES.iter().all(|(_, names)| names.is_sorted()));
        for name in NAMES.iter().flat_map(|(_, names)| *names) {
            assert!(of_word(name).is_some(), "{name}");
        }
    }
}
