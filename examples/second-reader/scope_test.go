package main

import "testing"

func TestCodesOfAScope(t *testing.T) {
	record := &entry{codes: []string{"1.2.3|HbA1c", "loinc|4548-4"}}
	for wanted, hit := range map[string]bool{
		"loinc|4548-4":  true,
		"|4548-4":       true,
		"1.2.3|hba1c":   true,
		"snomed|4548-4": false,
		"loinc|4548":    false,
	} {
		s := &scope{Codes: []string{wanted}}
		if err := s.check(); err != nil {
			t.Errorf("%s: %v", wanted, err)
		}
		if s.holds(record) != hit {
			t.Errorf("%s: %v", wanted, !hit)
		}
	}
	for _, bad := range [][]string{{"4548-4"}, {"loinc|"}, {"b|1", "a|1"}, {"a|1", "a|1"}} {
		s := &scope{Codes: bad}
		if s.check() == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
