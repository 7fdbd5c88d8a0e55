// Package integration holds the end-to-end tests: the real registry, the real
// program and real clients on stores that really run. It has no code of its own.
//
// The request budgets are in testdata/budgets.golden. After a change that is
// meant to alter them:
//
//	go test ./integration -run TestBudgets -update
package integration
