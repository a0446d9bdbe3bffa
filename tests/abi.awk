# From the preprocessed header (without its #includes, SK_API as it stands) to a C program that prints the header's part
# of the ABI, a line for each thing: prototypes, values of enumerators, sizes of structs, place and type of each field.
# Left out: `reserved`, whose place fields of later versions take, and numbers of enumerators, which grow.

function literal(text) {
  gsub(/["\\]/, "\\\\&", text)
  return "\"" text "\""
}

function trim(text) {
  gsub(/[ \t]+/, " ", text)
  gsub(/^ | $/, "", text)
  return text
}

function print_line(text) { print "  puts(" literal(trim(text)) ");" }

function print_field(type, field, declaration) {
  if (field == "reserved") return
  print "  printf(\"%s: at %zu, %zu bytes\\n\", " literal("field " type "." field ", " trim(declaration)) ", offsetof(" type ", " field \
    "), sizeof ((" type " *)0)->" field ");"
}

# "const char *cpu, *version" declares two, "float mean[3]" one, "void *(*allocate)(void *user)" one.
function print_fields(type, declaration,    words, names, count, i, field, base) {
  declaration = trim(declaration)
  if (declaration == "") return
  if (match(declaration, /[(][*][a-z_]+[)]/)) {
    print_field(type, substr(declaration, RSTART + 2, RLENGTH - 3), declaration)
    return
  }
  count = split(declaration, names, /,/)
  base = names[1]
  sub(/[*]*[a-z0-9_]+(\[[^]]*\])?$/, "", base)
  for (i = 1; i <= count; i++) {
    field = trim(i == 1 ? substr(names[1], length(base) + 1) : names[i])
    words = base field
    gsub(/[*]|\[[^]]*\]/, "", field)
    print_field(type, field, words)
  }
}

function print_struct(statement,    type, body, fields, count, i) {
  match(statement, /[a-z0-9_]+ *$/)
  type = trim(substr(statement, RSTART))
  body = substr(statement, index(statement, "{") + 1)
  sub(/[}][^}]*$/, "", body)
  print "  printf(\"struct %s: %zu bytes, aligned to %zu\\n\", " literal(type) ", sizeof(" type "), _Alignof(" type "));"
  count = split(body, fields, /;/)
  for (i = 1; i <= count; i++) print_fields(type, fields[i])
}

function print_enum(statement,    body, names, count, i, constant) {
  body = statement
  gsub(/^[^{]*[{]|[}].*$/, "", body)
  count = split(body, names, /,/)
  for (i = 1; i <= count; i++) {
    constant = names[i]
    sub(/=.*/, "", constant)
    constant = trim(constant)
    if (constant != "" && constant !~ /_COUNT$/) print "  printf(\"enum %s = %d\\n\", " literal(constant) ", (int)" constant ");"
  }
}

function print_statement(statement) {
  if (sub(/^SK_API /, "", statement)) print_line("function " statement)
  else if (statement ~ /^typedef struct [a-z0-9_]+ *[{]/) print_struct(statement)
  else if (statement ~ /^typedef enum/) print_enum(statement)
  else if (statement ~ /^typedef/) print_line(statement)
}

BEGIN {
  print "#include <stddef.h>\n#include <stdio.h>\n#include \"skiplane.h\"\nint main(void) {"
  print "  printf(\"macro SK_ALIGNMENT = %d\\n\", SK_ALIGNMENT);"
}
{ text = text " " $0 }
END {
  for (i = 1; i <= length(text); i++) {
    c = substr(text, i, 1)
    if (c == "{") depth++
    if (c == "}") depth--
    if (c == ";" && depth == 0) { print_statement(trim(statement)); statement = "" }
    else statement = statement c
  }
  print "  return 0;\n}"
}
