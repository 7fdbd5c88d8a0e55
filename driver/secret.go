package driver

import "strings"

// byteOrderMark is what some editors put at the beginning of a file.
const byteOrderMark = "\ufeff"

// TrimSecret returns a secret, or the text of a file of secrets, without what editors, shells and
// files of variables leave at its ends: a byte order mark, white space, and one pair of quotes
// around it. Stores give out no secret that has any of these at an end.
func TrimSecret(text string) string {
	text = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), byteOrderMark))
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = strings.TrimSpace(text[1 : n-1])
	}
	return text
}
