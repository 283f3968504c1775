//! How REST operations are bound to HTTP: the types of the generated tables.

/// Where a member travels when it is not in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// A label of the path.
    Uri,
    /// A parameter of the query.
    Query,
    /// A header.
    Header,
}

/// What a located member's text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// As it stands.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A member that is not in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Located {
    /// The member's name in the model.
    pub member: &'static str,
    /// Where it travels.
    pub location: Location,
    /// Its name there.
    pub name: &'static str,
    /// What its text is read as.
    pub kind: Kind,
}

/// How one operation is bound to HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The operation's name.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The path, its labels in braces; a `+` behind a label's name lets it span segments.
    pub path: &'static str,
    /// Status of a success.
    pub status: u16,
    /// The input's members that are not in the body.
    pub located: &'static [Located],
    /// The input's member that is the whole body, if there is one.
    pub payload: Option<&'static str>,
}
