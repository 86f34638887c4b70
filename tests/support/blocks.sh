# SPDX-License-Identifier: MIT
# blocks.sh - extracts the code blocks of documents; a script sources this file
# shellcheck shell=sh

# block DOCUMENT LANGUAGE FIRST: prints the first block of the Markdown file that has the language and
# whose first line is FIRST. If FIRST ends with a blank, the first line has to begin with FIRST. If
# FIRST is empty, any first line matches.
block()
{
	awk -v fence="\`\`\`$2" -v first="$3" '
		!inside && $0 == fence { inside = 1; number = 0; next }
		inside && /^```$/ { if (wanted) exit; inside = 0; next }
		inside && ++number == 1 { wanted = first == "" || $0 == first || (first ~ / $/ && index($0, first) == 1) }
		inside && wanted
	' "$1"
}
