# The API reference as Markdown: `awk -f docs/api.awk include/skiplane.h`, which `make api-reference` writes to
# docs/api.md. It relies on the header's form: a comment that begins in the first column speaks of the declarations that
# follow without an empty line between, or, with one, of its section; a line of it that is indented is a formula; and
# "Errors:" and the like begin a part that ends with the comment, or where the next begins.

# No two empty lines.
function emit(line) {
  if (line != "" || last != "") print line
  last = line
}

# What Markdown would take for emphasis or a tag.
function escape(line) {
  gsub(/[*]/, "\\*", line)
  gsub(/</, "\\&lt;", line)
  return line
}

function end_paragraph() {
  if (label != "") emit("- **" label ":** " escape(text))
  else if (text != "") emit(escape(text))
  label = text = ""
}

function add(words) {
  if (words != "") text = text (text == "" ? "" : " ") words
}

# A line of plain words, in which parts may begin: at its start, or behind a sentence.
function add_words(line,    start) {
  while (match(line, /(^|[.)] )(Errors|Threads|Accuracy|Alignment|Aliasing|Requires|Source): /)) {
    start = RSTART + (RSTART > 1 || line ~ /^[.)]/ ? 2 : 0)
    add(substr(line, 1, start - 2))
    if (label == "") { end_paragraph(); emit("") }
    else end_paragraph()
    line = substr(line, start)
    label = substr(line, 1, index(line, ":") - 1)
    line = substr(line, length(label) + 3)
  }
  add(line)
}

function print_comment(    i, is_formula, fenced) {
  emit("")
  for (i = 1; i <= comment_count; i++) {
    is_formula = comment[i] ~ /^  /
    if (is_formula && !fenced) { end_paragraph(); emit(""); emit("```c") }
    if (!is_formula && fenced) { emit("```"); emit("") }
    fenced = is_formula
    if (is_formula) emit(substr(comment[i], 3))
    else if (comment[i] == "") { end_paragraph(); emit("") }
    else add_words(comment[i])
  }
  end_paragraph()
  if (fenced) emit("```")
}

function end_group(    i, title) {
  for (i = 1; i <= name_count; i++) title = title (i > 1 ? ", " : "") "`" name[i] "`"
  if (title != "") { emit(""); emit("### " title) }
  if (code_count > 0) {
    emit("")
    emit("```c")
    for (i = 1; i <= code_count; i++) emit(code[i])
    emit("```")
  }
  if (comment_count > 0) print_comment()
  code_count = comment_count = name_count = 0
}

# What a declaration introduces: a function, or the last word of a type's.
function name_of(declaration) {
  if (match(declaration, /[{]/) == 0 && match(declaration, /sk_[a-z0-9_]+[(]/)) {
    return substr(declaration, RSTART, RLENGTH - 1)
  }
  match(declaration, /[a-z0-9_]+;$/)
  return substr(declaration, RSTART, RLENGTH - 1)
}

BEGIN {
  last = "x"
  emit("# API reference")
  emit("")
  emit("Made from `include/skiplane.h` by `make api-reference`: edit that.")
}

# The comment at the top, in columns, as it stands.
NR == 1 { in_head = 1; emit(""); emit("```text"); next }
in_head && /[*]\/$/ { in_head = 0; emit("```"); next }
in_head { sub(/^ [*] ?/, ""); emit($0); next }

/^\/[*] ---- / {
  end_group()
  gsub(/^\/[*] ---- | -+ [*]\/$/, "")
  emit("")
  emit("## " $0)
  in_sections = 1
  next
}
/^#ifdef __cplusplus/ { in_sections = 0 }
!in_sections { next }

!in_code && (/^\/[*]/ || in_comment) {
  if (!in_comment) end_group()
  in_comment = $0 !~ /[*]\/$/
  gsub(/^(\/[*]| [*]) ?| ?[*]\/$/, "")
  if ($0 != "" || (comment_count > 0 && in_comment)) comment[++comment_count] = $0
  next
}
!in_code && /^$/ { end_group(); next }

# A declaration, up to its semicolon, or a #define.
{
  line = $0
  is_function = in_code ? is_function : line ~ /^SK_API /
  if (is_function) sub(/^(SK_API |       )/, "", line)
  code[++code_count] = line
  statement = (in_code ? statement : "") line
  bare = statement
  gsub(/ *\/[*][^*]*[*]\/ */, "", bare)
  in_code = line !~ /^#/ && (bare !~ /;$/ || gsub(/[{]/, "{", bare) > gsub(/[}]/, "}", bare))
  if (!in_code && line !~ /^#/) name[++name_count] = name_of(bare)
}
END { end_group() }
