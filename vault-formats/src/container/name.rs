//! Names of members: a relative path, or nothing.

/// Longest name, in bytes.
const MAX_NAME_LEN: usize = 1024;

/// The name as a relative path with `/`, without empty and `.` parts. `None` for one that could lead
/// elsewhere: with `..`, from a root or a drive, with a backslash or a control character, empty, or
/// of more than 1,024 bytes.
pub(super) fn safe_path(name: &str) -> Option<String> {
    if name.is_empty() || name.len() > MAX_NAME_LEN || name.starts_with('/') {
        return None;
    }
    if name.contains(|c: char| c == '\\' || c.is_control()) {
        return None;
    }
    let drive = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
    };
    let mut path = String::with_capacity(name.len());
    for part in name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." || drive(part) {
            return None;
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    (!path.is_empty()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_stay_inside() {
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("a/b c/d.txt", "a/b c/d.txt"),
            ("./a//b/./c", "a/b/c"),
            ("...", "..."),
            ("a..b/..c", "a..b/..c"),
            ("ж/日本.txt", "ж/日本.txt"),
            ("10:30.txt", "10:30.txt"),
        ] {
            assert_eq!(safe_path(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere() {
        let long = "a".repeat(1025);
        for name in [
            "",
            "/",
            "/etc/passwd",
            "//host/share",
            "..",
            "../evil",
            "a/../../evil",
            "a/..",
            "C:",
            "C:/x",
            "a/C:x",
            "a:b",
            "a\\b",
            "..\\evil",
            "a\0b",
            "a\nb",
            ".",
            "./",
            &long,
        ] {
            assert_eq!(safe_path(name), None, "{name:?}");
        }
        assert!(safe_path(&long[1..]).is_some());
    }
}
