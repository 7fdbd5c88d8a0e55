package cloud

import "strings"

// Metadata is m with its keys in lower case, whatever the store or another writer
// made of them.
func Metadata(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	lower := make(map[string]string, len(m))
	for k, v := range m {
		lower[strings.ToLower(k)] = v
	}
	return lower
}
