package laws_test

import "testing"

var azureProofs = map[string]func(*testing.T){}
