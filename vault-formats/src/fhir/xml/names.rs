//! XML namespaces, as far as FHIR needs them.
//!
//! Source: Namespaces in XML 1.0.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;

use super::read::XmlError;

const FHIR: &str = "http://hl7.org/fhir";
const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// Most attributes of one element, and most prefixes in scope: FHIR has three attributes.
const MAX_NAMES: usize = 64;

/// The namespaces that mean something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Fhir,
    Xhtml,
    Other,
}

/// The prefixes in scope, each with the depth of the element that declares it.
#[derive(Debug, Default)]
pub(super) struct Scope(Vec<(usize, String, Namespace)>);

/// An attribute that is no declaration of a namespace.
#[derive(Debug)]
pub(super) struct Attribute<'a> {
    /// Its name with its prefix.
    pub(super) name: &'a str,
    /// Its value between the quotes, as written.
    pub(super) raw: String,
    /// Its value, normalised and with its references resolved; `None` where one is not known.
    pub(super) value: Option<String>,
}

impl Scope {
    /// Enters an element: notes what it declares and returns its other attributes.
    pub(super) fn enter<'a>(
        &mut self,
        depth: usize,
        tag: &'a BytesStart<'_>,
    ) -> Result<Vec<Attribute<'a>>, XmlError> {
        let mut attributes: Vec<Attribute<'a>> = Vec::new();
        // duplicates are looked for below: the reader's own check takes time without a bound
        let mut found = tag.attributes();
        for (number, attribute) in found.with_checks(false).enumerate() {
            let attribute = attribute.map_err(|_| XmlError::Malformed)?;
            if number == MAX_NAMES {
                return Err(XmlError::TooManyAttributes);
            }
            let name = attribute.key.0;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok();
            let prefix = match name {
                "xmlns" => Some(""),
                name => name.strip_prefix("xmlns:"),
            };
            if let Some(prefix) = prefix {
                let namespace = match value.as_deref() {
                    Some(FHIR) => Namespace::Fhir,
                    Some(XHTML) => Namespace::Xhtml,
                    _ => Namespace::Other,
                };
                if self.0.len() == MAX_NAMES {
                    return Err(XmlError::TooManyAttributes);
                }
                self.0.push((depth, prefix.to_owned(), namespace));
            } else if attributes.iter().any(|other| other.name == name) {
                return Err(XmlError::Malformed);
            } else {
                attributes.push(Attribute {
                    name,
                    raw: attribute.value.clone().into_owned(),
                    value: value.map(std::borrow::Cow::into_owned),
                });
            }
        }
        Ok(attributes)
    }

    /// Leaves the element at this depth.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.0.pop_if(|(of, ..)| *of >= depth).is_some() {}
    }

    /// The namespace and the local part of an element's name.
    pub(super) fn resolve<'n>(&self, name: &'n str) -> Result<(Namespace, &'n str), XmlError> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let declared = self.0.iter().rev().find(|(_, of, _)| of == prefix);
        match declared {
            Some((_, _, namespace)) => Ok((*namespace, local)),
            None if prefix.is_empty() || prefix == "xml" => Ok((Namespace::Other, local)),
            None => Err(XmlError::Malformed),
        }
    }
}
