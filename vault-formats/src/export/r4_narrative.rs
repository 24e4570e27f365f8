//! Which narratives of records may go into a document as they are.

use serde_json::Value;

/// Whether a narrative is well-formed and has nothing but text and its marks.
///
/// Source: FHIR R4, Narrative, txt-1.
pub(super) fn is_safe_narrative(text: &Value) -> bool {
    let status = text.get("status").and_then(Value::as_str);
    let div = text.get("div").and_then(Value::as_str).unwrap_or_default();
    let known = matches!(
        status,
        Some("generated" | "extensions" | "additional" | "empty")
    );
    let plain = text.as_object().is_some_and(|object| object.len() == 2);
    // a document type could define entities, and nobody needs one here
    if !known || !plain || div.len() > 200_000 || div.contains("<!") || div.contains("<?") {
        return false;
    }
    let Ok(tree) = roxmltree::Document::parse(div) else {
        return false;
    };
    let root = tree.root_element();
    let namespace = "http://www.w3.org/1999/xhtml";
    root.has_tag_name((namespace, "div"))
        && root
            .descendants()
            .filter(roxmltree::Node::is_element)
            .all(|node| {
                let name = node.tag_name();
                name.namespace() == Some(namespace)
                    && ALLOWED.contains(&name.name())
                    && node.attributes().all(|attribute| {
                        matches!(
                            attribute.name(),
                            "class"
                                | "id"
                                | "title"
                                | "colspan"
                                | "rowspan"
                                | "lang"
                                | "border"
                                | "width"
                                | "align"
                        )
                    })
            })
}

const ALLOWED: &[&str] = &[
    "div",
    "p",
    "span",
    "b",
    "i",
    "em",
    "strong",
    "br",
    "ul",
    "ol",
    "li",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "caption",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "code",
    "sub",
    "sup",
    "hr",
    "dl",
    "dt",
    "dd",
    "blockquote",
    "small",
    "big",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_harmless_narratives_are_kept() {
        let narrative = |div: &str| is_safe_narrative(&json!({"status": "generated", "div": div}));
        let xhtml =
            |inner: &str| format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>");
        assert!(narrative(&xhtml("<p class='a'>5 &lt; 6</p>")));
        for inner in [
            "<script>x</script>",
            "<p onclick='x'/>",
            "<img src='http://x'/>",
            "<p>",
            "<a href='javascript:x'>a</a>",
            "<!-- -->",
        ] {
            assert!(!narrative(&xhtml(inner)), "{inner}");
        }
        assert!(!narrative("<div>no namespace</div>"));
    }
}
