//! Lists of resources in a stream, and the `providers` envelope.

use std::io::Read;

use super::entries::BundleDraft;
use super::scan::Kept;
use super::{BundleReader, Found, Sink, Stop, Streamed, problem};
use crate::record::bundle::{self, Part, brief, not_fhir, under};
use crate::record::split::{Import, larger_than};

impl<R: Read> BundleReader<R> {
    /// A list of resources or entries as the whole file. What is no FHIR is spoken of only when
    /// something is.
    pub(super) fn array<E>(&mut self, sink: Sink<'_, E>) -> Result<Found, Stop<E>> {
        let mut held = Import::default();
        let mut found = false;
        self.scan.kept()?;
        let mut draft = BundleDraft::default();
        self.scan.open(b'[')?;
        let mut number = 0;
        while self.scan.more(number == 0, b']')? {
            number += 1;
            let at = under("", "item", number);
            let value = self.kept_value()?;
            match &value.1 {
                Kept::Text(text) if !found && bundle::is_resource_or_entry(text) => {
                    found = true;
                    for problem in std::mem::take(&mut held.problems) {
                        sink(Streamed::Problem(problem)).map_err(Stop::Sink)?;
                    }
                }
                _ => {}
            }
            if found {
                self.piece(value, Part::Either, &at, &mut draft, sink)?;
            } else {
                match value.1 {
                    Kept::Text(text) => {
                        let import = bundle::part(&text, Part::Either, &at);
                        for problem in import.problems {
                            held.report(&problem.at, &problem.what);
                        }
                    }
                    Kept::TooLong => held.report(&at, &larger_than(self.limit)),
                }
            }
        }
        if !found {
            self.document("[{", false, sink)?;
        }
        Ok(Found::Done)
    }

    pub(super) fn providers<E>(&mut self, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        self.scan.open(b'[')?;
        let mut held = Vec::new();
        let (mut number, mut fhir) = (0, false);
        while self.scan.more(number == 0, b']')? {
            number += 1;
            let at = under("", "provider", number);
            if self.scan.peek()? != Some(b'{') {
                self.scan.value()?;
                let what = problem(&at, "the provider is not a JSON object");
                if fhir {
                    sink(what).map_err(Stop::Sink)?;
                } else if held.len() < 100 {
                    held.push(what);
                }
                continue;
            }
            self.scan.open(b'{')?;
            let mut first = true;
            while self.scan.more(first, b'}')? {
                first = false;
                self.scan.keep();
                let name = self.member()?.unwrap_or_default();
                self.scan.kept()?;
                let (before, byte) = (self.scan.position(), self.scan.peek()?);
                if name == "fhir" {
                    fhir = true;
                    for what in held.drain(..) {
                        sink(what).map_err(Stop::Sink)?;
                    }
                    self.provider(&at, sink)?;
                    continue;
                }
                self.scan.value()?;
                let long = self.scan.position() - before > 2;
                if long && matches!(byte, Some(b'[' | b'{')) {
                    let what = problem(&at, &not_fhir(&name));
                    if fhir {
                        sink(what).map_err(Stop::Sink)?;
                    } else if held.len() < 100 {
                        held.push(what);
                    }
                }
            }
        }
        if fhir {
            Ok(())
        } else {
            self.document("{\"", false, sink)
        }
    }

    /// One provider's data: a resource or bundle, a list, or lists by resource type.
    fn provider<E>(&mut self, at: &str, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        match self.scan.peek()? {
            Some(b'[') => self.list(at, "item", sink),
            Some(b'{') => self.provided(at, sink),
            _ => {
                self.scan.value()?;
                sink(problem(at, "\"fhir\" is not an object or list")).map_err(Stop::Sink)
            }
        }
    }

    /// Types begin with a capital, and the members of a resource do not.
    fn provided<E>(&mut self, at: &str, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        let by_type = {
            let mut ahead = self.scan.ahead()?.iter().skip(1);
            let mut visible = ahead.by_ref().filter(|b| !b.is_ascii_whitespace());
            visible.next() == Some(&b'"') && ahead.next().is_some_and(u8::is_ascii_uppercase)
        };
        if !by_type {
            let start = self.scan.position();
            self.scan.keep();
            if let Found::One = self.object(at, sink)? {
                let value = (start, self.scan.kept()?);
                let mut draft = BundleDraft::default();
                self.piece(value, Part::Provided, at, &mut draft, sink)?;
            }
            return Ok(());
        }
        self.scan.open(b'{')?;
        let mut first = true;
        while self.scan.more(first, b'}')? {
            first = false;
            self.scan.keep();
            let name = brief(&self.member()?.unwrap_or_default());
            self.scan.kept()?;
            if self.scan.peek()? == Some(b'[') {
                self.list(at, &name, sink)?;
            } else {
                let value = self.kept_value()?;
                let at = format!("{at}, {name}");
                let mut draft = BundleDraft::default();
                self.piece(value, Part::Resource, &at, &mut draft, sink)?;
            }
        }
        Ok(())
    }

    fn list<E>(&mut self, at: &str, noun: &str, sink: Sink<'_, E>) -> Result<(), Stop<E>> {
        self.scan.open(b'[')?;
        let mut draft = BundleDraft::default();
        let mut number = 0;
        while self.scan.more(number == 0, b']')? {
            number += 1;
            let value = self.kept_value()?;
            self.piece(
                value,
                Part::Either,
                &under(at, noun, number),
                &mut draft,
                sink,
            )?;
        }
        Ok(())
    }
}
