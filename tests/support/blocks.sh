# SPDX-License-Identifier: MIT
# blocks.sh - what documents show, for scripts that source this
# shellcheck shell=sh

# block DOCUMENT LANGUAGE FIRST: of a Markdown file the first block of that language whose first line is
# FIRST, or begins with FIRST where that ends with a blank; any first line where FIRST is empty.
block()
{
	awk -v fence="\`\`\`$2" -v first="$3" '
		!inside && $0 == fence { inside = 1; number = 0; next }
		inside && /^```$/ { if (wanted) exit; inside = 0; next }
		inside && ++number == 1 { wanted = first == "" || $0 == first || (first ~ / $/ && index($0, first) == 1) }
		inside && wanted
	' "$1"
}
