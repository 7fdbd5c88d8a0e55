package laws

// Violation is a test that breaks a law until an issue is resolved.
type Violation struct {
	Test  string // with the store that it runs on, "TestSameDigest/s3-aws"
	Law   string
	Issue int
	// Chance tells that it depends on chance whether the test meets the law.
	Chance bool
}

// Violations lists what breaks laws today. The list can only shrink: a test on it that
// passes is an error, unless that depends on chance.
func Violations() []Violation {
	return []Violation{}
}
