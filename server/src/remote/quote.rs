//! Shell commands from templates: each value is quoted for a POSIX shell when it is put in.
//! A template that would undo the quoting (a placeholder inside quotes) is refused at the start.

use protocol::shell::quote;

/// What a template can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Repository,
    Branch,
    Commit,
    ScenarioDir,
    WorkspaceRoot,
    QueueId,
}

impl Value {
    const ALL: [Self; 6] =
        [Self::Repository, Self::Branch, Self::Commit, Self::ScenarioDir, Self::WorkspaceRoot, Self::QueueId];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Branch => "branch",
            Self::Commit => "commit",
            Self::ScenarioDir => "scenario_dir",
            Self::WorkspaceRoot => "workspace_root",
            Self::QueueId => "queue_id",
        }
    }
}

/// A command with places for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Value),
}

impl Template {
    /// Reads a template in which only `allowed` values may stand.
    pub fn parse(template: &str, allowed: &[Value]) -> Result<Self, String> {
        if template.trim().is_empty() || template.chars().any(char::is_control) {
            return Err("a command must be one line and not empty".to_owned());
        }
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut quoting = Quoting::None;
        let mut rest = template;
        while let Some(next) = rest.chars().next() {
            // Git's own `^{commit}` is no placeholder.
            let name = if text.ends_with('^') { None } else { placeholder(rest) };
            let Some(name) = name else {
                quoting = quoting.after(next);
                text.push(next);
                rest = &rest[next.len_utf8()..];
                continue;
            };
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Place(place(name, allowed, quoting)?));
            rest = &rest[name.len() + 2..];
        }
        if quoting != Quoting::None {
            return Err("a quote is not closed".to_owned());
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// The command with each value checked and quoted by `value_of`'s answer.
    pub fn fill(&self, value_of: impl Fn(Value) -> Result<String, String>) -> Result<String, String> {
        let mut command = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => command.push_str(text),
                Piece::Place(value) => command.push_str(&quote(&value_of(*value)?)),
            }
        }
        Ok(command)
    }
}

fn place(name: &str, allowed: &[Value], quoting: Quoting) -> Result<Value, String> {
    let known = Value::ALL.into_iter().find(|value| value.name() == name && allowed.contains(value));
    let Some(value) = known else {
        let names: Vec<String> = allowed.iter().map(|value| format!("{{{}}}", value.name())).collect();
        return Err(format!("{{{name}}} means nothing here; known are {}", names.join(", ")));
    };
    if quoting != Quoting::None {
        return Err(format!(
            "{{{name}}} stands inside quotes; leave them away, values are quoted when they are put in"
        ));
    }
    Ok(value)
}

/// The name in `{name}` at the start of the text.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let looks_like_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    looks_like_name.then_some(name)
}

/// Where a reader of the shell's language stands after some characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Backslash,
    Inside(char),
    /// After a backslash within `"` or backquotes.
    BackslashInside(char),
}

impl Quoting {
    const fn after(self, next: char) -> Self {
        match (self, next) {
            (Self::None, '\\') => Self::Backslash,
            (Self::None, '\'' | '"' | '`') => Self::Inside(next),
            (Self::None | Self::Backslash, _)
            | (Self::Inside('\''), '\'')
            | (Self::Inside('"'), '"')
            | (Self::Inside('`'), '`') => Self::None,
            (Self::Inside(quote @ ('"' | '`')), '\\') => Self::BackslashInside(quote),
            (Self::Inside(quote) | Self::BackslashInside(quote), _) => Self::Inside(quote),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_in_and_gits_own_braces_are_kept() {
        let template =
            Template::parse("git cat-file -e {commit}^{commit} # {repository}", &[Value::Commit, Value::Repository])
                .unwrap();
        let filled = template.fill(|value| Ok(if value == Value::Commit { "abc".into() } else { "a b".into() }));
        assert_eq!(filled.unwrap(), "git cat-file -e abc^{commit} # 'a b'");
        let plain = Template::parse("echo ${HOME} {} {A} a{b", &[]).unwrap();
        assert_eq!(plain.fill(|_| Err(String::new())).unwrap(), "echo ${HOME} {} {A} a{b");
    }

    #[test]
    fn a_refused_value_refuses_the_command() {
        let template = Template::parse("x {branch}", &[Value::Branch]).unwrap();
        assert_eq!(template.fill(|_| Err("no".into())), Err("no".into()));
    }

    #[test]
    fn templates_that_would_undo_the_quoting_are_refused() {
        for bad in ["x '{branch}'", "x \"{branch}\"", "x `y {branch}`", r"x \{branch}", r#"x "\"{branch}""#] {
            let error = Template::parse(bad, &[Value::Branch]).unwrap_err();
            assert!(error.contains("inside quotes"), "{bad}: {error}");
        }
        for bad in ["x {commit}", "x {branhc}", "", "a\nb", "x 'y", "x \\"] {
            assert!(Template::parse(bad, &[Value::Branch]).is_err(), "{bad}");
        }
        assert!(Template::parse("x 'a' \"b\\\"\" {branch}", &[Value::Branch]).is_ok());
    }
}
