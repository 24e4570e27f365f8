package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// report collects what does not verify, so that one fault does not hide the others, and prints data.
type report struct {
	out, errors io.Writer
	json        bool
	problems    int
}

// problem names something that does not verify; the program will end with exit code 1.
func (r *report) problem(format string, arguments ...any) {
	r.problems++
	fmt.Fprintf(r.errors, "second-reader: problem: "+format+"\n", arguments...)
}

// check is problem for an error that may be nil.
func (r *report) check(what string, err error) {
	switch {
	case err == nil:
	case what == "":
		r.problem("%v", err)
	default:
		r.problem("%s: %v", what, err)
	}
}

// note says on standard error what is neither data nor a problem.
func (r *report) note(format string, arguments ...any) {
	fmt.Fprintf(r.errors, format+"\n", arguments...)
}

// line prints one thing: its JSON, or the text.
func (r *report) line(value any, format string, arguments ...any) {
	if !r.json {
		fmt.Fprintf(r.out, format+"\n", arguments...)
		return
	}
	encoder := json.NewEncoder(r.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		r.problem("%v", err)
	}
}

func moment(seconds uint64) string {
	if seconds > 1<<40 {
		return fmt.Sprintf("second %d", seconds)
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}
