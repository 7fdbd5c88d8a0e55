package laws_test

import "testing"

var gcsProofs = map[string]func(*testing.T){}
