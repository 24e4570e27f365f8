//! Reads FHIR in XML, one resource at a time.
//!
//! Sources: FHIR R4, "XML representation of resources"; XML 1.0 without document type declarations.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::names::{Attribute, Namespace, Scope};
use super::narrative::Narrative;
use super::tree::Node;

/// Deepest nesting of elements; the same as for JSON.
const MAX_DEPTH: usize = 127;
/// Most elements of one resource.
const MAX_ELEMENTS: usize = 200_000;

/// Why a text is not FHIR in XML that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum XmlError {
    #[error("not well-formed XML")]
    Malformed,
    #[error("XML with a document type declaration is not read")]
    Doctype,
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("an element with too many attributes or namespaces")]
    TooManyAttributes,
    #[error("a resource of more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    #[error("more resources than one file may hold")]
    TooManyResources,
    #[error("the root element is not a FHIR resource")]
    NotAResource,
}

/// Where the resources go that a text holds.
pub(super) trait Sink {
    /// A resource that is not a bundle.
    fn resource(&mut self, resource: Map<String, Value>) -> Result<(), XmlError>;
    /// What a bundle says of itself; its entries went before.
    fn bundle(&mut self, bundle: Map<String, Value>);
}

/// The type of the root resource, when the text begins like FHIR in XML.
pub(super) fn root(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) | Event::Empty(tag) => {
                let mut scope = Scope::default();
                scope.enter(0, &tag).ok()?;
                let (namespace, local) = scope.resolve(tag.name().0).ok()?;
                let is_root = namespace == Namespace::Fhir && is_resource_name(local);
                return is_root.then(|| local.to_owned());
            }
            Event::Text(text) if !text.trim_start_matches('\u{feff}').trim().is_empty() => {
                return None;
            }
            Event::Eof | Event::End(_) | Event::CData(_) | Event::GeneralRef(_) => return None,
            _ => {}
        }
    }
}

/// Reads a text to its end.
///
/// # Errors
/// [`XmlError`]; the sink may have got some resources by then.
pub(super) fn read(text: &str, sink: &mut dyn Sink) -> Result<(), XmlError> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = true;
    let mut state = State {
        sink,
        scope: Scope::default(),
        depth: 0,
        stack: Vec::new(),
        narrative: None,
        skipped: None,
        elements: 0,
        complete: false,
    };
    loop {
        match reader.read_event().map_err(|_| XmlError::Malformed)? {
            Event::Start(tag) => state.start(&tag, false)?,
            Event::Empty(tag) => state.start(&tag, true)?,
            Event::End(tag) => state.end(tag.name().0)?,
            Event::Text(text) => state.text(&text)?,
            Event::CData(text) => {
                if let Some(narrative) = &mut state.narrative {
                    narrative.cdata(&text);
                }
            }
            Event::GeneralRef(name) => {
                if let Some(narrative) = &mut state.narrative {
                    narrative.reference(&name);
                }
            }
            Event::DocType(_) => return Err(XmlError::Doctype),
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::Eof if state.complete => return Ok(()),
            Event::Eof => return Err(XmlError::Malformed),
        }
    }
}

fn is_resource_name(local: &str) -> bool {
    local.starts_with(|c: char| c.is_ascii_uppercase()) && is_plain(local)
}

fn is_element_name(local: &str) -> bool {
    local.starts_with(|c: char| c.is_ascii_lowercase()) && is_plain(local)
}

fn is_plain(local: &str) -> bool {
    local.len() <= 64 && local.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A node on the way from the root.
struct Open {
    node: Node,
    /// Whether it is a resource, and not an element.
    is_resource: bool,
    /// A bundle whose resources are handed on one by one, or an element on the way to them.
    in_bundle: bool,
    /// Elements that were held when it began.
    before: usize,
}

struct State<'s> {
    sink: &'s mut dyn Sink,
    scope: Scope,
    depth: usize,
    stack: Vec<Open>,
    narrative: Option<Narrative>,
    /// Depth of the element that is passed over with all it holds.
    skipped: Option<usize>,
    /// Elements that are held: those of bundles and of the resource that is being read.
    elements: usize,
    complete: bool,
}

impl State<'_> {
    fn start(&mut self, tag: &BytesStart<'_>, empty: bool) -> Result<(), XmlError> {
        if self.depth == MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        if self.complete {
            return Err(XmlError::Malformed);
        }
        self.depth += 1;
        let attributes = self.scope.enter(self.depth, tag)?;
        let (namespace, local) = self.scope.resolve(tag.name().0)?;
        if self.skipped.is_none() {
            self.enter(namespace, local, attributes, empty)?;
        }
        if empty {
            self.leave(local, true)?;
        }
        Ok(())
    }

    fn enter(
        &mut self,
        namespace: Namespace,
        local: &str,
        attributes: Vec<Attribute<'_>>,
        empty: bool,
    ) -> Result<(), XmlError> {
        if let Some(narrative) = &mut self.narrative {
            narrative.open(local, &attributes, empty);
            return Ok(());
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(XmlError::TooManyElements);
        }
        let is_fhir = namespace == Namespace::Fhir;
        let Some(parent) = self.stack.last() else {
            if !(is_fhir && is_resource_name(local)) {
                return Err(XmlError::NotAResource);
            }
            self.push_resource(local, true);
            return Ok(());
        };
        if is_fhir && is_resource_name(local) && !parent.is_resource {
            let hands_on = parent.in_bundle && parent.node.name == "resource";
            self.push_resource(local, hands_on);
        } else if is_fhir && is_element_name(local) {
            let mut node = parent.node.child(local);
            for attribute in attributes {
                let value = attribute.value.ok_or(XmlError::Malformed)?;
                node.attribute(attribute.name, value);
            }
            let in_bundle = parent.in_bundle && matches!(local, "entry" | "resource");
            self.stack.push(Open {
                node,
                is_resource: false,
                in_bundle,
                before: self.elements - 1,
            });
        } else if namespace == Namespace::Xhtml && local == "div" {
            let mut narrative = Narrative::default();
            narrative.open(local, &attributes, empty);
            self.narrative = Some(narrative);
        } else {
            // not FHIR
            self.skipped = Some(self.depth);
        }
        Ok(())
    }

    fn push_resource(&mut self, type_name: &str, hands_on: bool) {
        self.stack.push(Open {
            node: Node::resource(type_name),
            is_resource: true,
            in_bundle: hands_on && type_name == "Bundle",
            before: self.elements - 1,
        });
    }

    fn end(&mut self, name: &str) -> Result<(), XmlError> {
        let local = name.split_once(':').map_or(name, |(_, local)| local);
        self.leave(local, false)
    }

    /// Leaves the element at the current depth.
    fn leave(&mut self, local: &str, empty: bool) -> Result<(), XmlError> {
        if self.depth == 0 {
            return Err(XmlError::Malformed);
        }
        self.scope.leave(self.depth);
        let depth = self.depth;
        self.depth -= 1;
        if let Some(from) = self.skipped {
            if from == depth {
                self.skipped = None;
            }
            return Ok(());
        }
        if let Some(mut narrative) = self.narrative.take() {
            let is_complete = if empty {
                narrative.is_complete()
            } else {
                narrative.close(local)
            };
            if !is_complete {
                self.narrative = Some(narrative);
            } else if let Some(parent) = self.stack.last_mut() {
                parent.node.add_text("div", narrative.finish());
            }
            return Ok(());
        }
        let Some(open) = self.stack.pop() else {
            return Err(XmlError::Malformed);
        };
        self.finish(open)
    }

    fn finish(&mut self, open: Open) -> Result<(), XmlError> {
        let parent = self.stack.last_mut();
        let hands_on = parent.as_ref().is_none_or(|parent| parent.in_bundle);
        self.complete = parent.is_none();
        match parent {
            _ if open.is_resource && hands_on => {
                self.elements = open.before;
                let resource = open.node.finish_resource();
                if open.in_bundle {
                    self.sink.bundle(resource);
                } else {
                    self.sink.resource(resource)?;
                }
            }
            // its resource was handed on
            _ if open.in_bundle => self.elements = open.before,
            Some(parent) if open.is_resource => parent.node.hold(open.node.finish_resource()),
            Some(parent) => {
                let name = open.node.name.clone();
                if let Some(part) = open.node.finish() {
                    parent.node.add(name, part);
                }
            }
            None => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        if let Some(narrative) = &mut self.narrative {
            narrative.text(text);
        } else if self.stack.is_empty() && !text.trim_matches('\u{feff}').trim().is_empty() {
            return Err(XmlError::Malformed);
        }
        Ok(())
    }
}
