package medvault

/** Small FHIR R4 resources about Juno Amberfield, who does not exist. */
internal object Fhir {
    val patient = """
        {"resourceType": "Patient", "id": "juno",
         "name": [{"family": "Amberfield", "given": ["Juno"]}],
         "gender": "female", "birthDate": "1984-02-29"}
    """.json()

    val metformin = """
        {"resourceType": "MedicationStatement", "id": "metformin", "status": "active",
         "medicationCodeableConcept": {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm",
           "code": "860975", "display": "metformin hydrochloride 500 MG"}], "text": "Metformin 500 mg"},
         "subject": {"reference": "Patient/juno"}, "effectiveDateTime": "2024-03-14"}
    """.json()

    val influenza = """
        {"resourceType": "Immunization", "id": "influenza", "status": "completed",
         "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}], "text": "Influenza vaccine"},
         "patient": {"reference": "Patient/juno"}, "occurrenceDateTime": "2024-10-08"}
    """.json()

    val hba1c = lab("hba1c-2024", "4548-4", "HbA1c", "2024-03-12", 7.1, "%")
    val glucose = lab("glucose-2025", "1558-6", "Fasting glucose", "2025-03-18", 6.4, "mmol/L")
    val creatinine = lab("creatinine-2025", "2160-0", "Creatinine", "2025-03-18", 71.0, "umol/L")

    /** A result with a sensitive label: it stays closed unless the label is named. */
    val hiv = """
        {"resourceType": "Observation", "id": "hiv-2023", "status": "final",
         "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}]},
         "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
         "code": {"coding": [{"system": "http://loinc.org", "code": "75622-1"}], "text": "HIV screening test"},
         "subject": {"reference": "Patient/juno"}, "effectiveDateTime": "2023-09-05", "valueString": "negative"}
    """.json()

    /** A laboratory result. */
    fun lab(id: String, loinc: String, title: String, date: String, value: Double, unit: String) = """
        {"resourceType": "Observation", "id": "$id", "status": "final",
         "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
         "code": {"coding": [{"system": "http://loinc.org", "code": "$loinc"}], "text": "$title"},
         "subject": {"reference": "Patient/juno"}, "effectiveDateTime": "$date",
         "valueQuantity": {"value": $value, "unit": "$unit"}}
    """.json()

    /** A collection of resources. */
    fun bundle(vararg resources: ByteArray) =
        resources.joinToString(",", """{"resourceType": "Bundle", "type": "collection", "entry": [""", "]}") {
            """{"resource": ${it.decodeToString()}}"""
        }.encodeToByteArray()

    private fun String.json() = trimIndent().encodeToByteArray()
}
