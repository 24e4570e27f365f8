package main

import (
	"crypto/sha256"
	stdhash "hash"
)

// sameHash is what content names are made of (14.3): of FHIR in JSON neither a byte order mark at the
// beginning nor white space outside of strings counts.
type sameHash struct {
	stdhash.Hash
	json, begun, quoted, escaped bool
	mark                         int
	kept                         []byte
}

func newSameHash(mediaType string) *sameHash {
	return &sameHash{Hash: sha256.New(), json: mediaType == "application/fhir+json"}
}

func (s *sameHash) Write(data []byte) (int, error) {
	if !s.json {
		return s.Hash.Write(data)
	}
	s.kept = s.kept[:0]
	for _, c := range data {
		if s.counts(c) {
			s.kept = append(s.kept, c)
		}
	}
	s.Hash.Write(s.kept)
	return len(data), nil
}

func (s *sameHash) counts(c byte) bool {
	const mark = "\xef\xbb\xbf"
	switch {
	case !s.begun && s.mark < len(mark) && c == mark[s.mark]:
		s.mark++
		return false
	case s.quoted:
		if s.escaped {
			s.escaped = false
		} else {
			s.escaped = c == '\\'
			s.quoted = c != '"'
		}
		return true
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		return false
	}
	s.begun, s.quoted = true, c == '"'
	return true
}
