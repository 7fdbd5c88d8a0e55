package driver

import (
	"fmt"
	"slices"
	"strings"
)

// Conds tells which conditions each write honours.
type Conds struct {
	Put, Complete, Copy, Concat CondSet
	// Delete has CondIfMatch where DeleteOptions.IfVersion is honoured. An
	// Object.Version that the store has told is honoured in any case.
	Delete CondSet
	// DeleteNotAfter reports whether DeleteOptions.NotAfter is honoured.
	DeleteNotAfter bool
	// DeleteBatch reports whether ObjectRef.Version is honoured.
	DeleteBatch bool
}

// CondSet is a set of conditions.
type CondSet uint8

const (
	CondIfAbsent CondSet = 1 << iota
	CondIfMatch

	NoCond   CondSet = 0
	AllConds         = CondIfAbsent | CondIfMatch
)

// Allows reports whether c is unconditional, or a condition in the set.
func (s CondSet) Allows(c Cond) bool {
	if c.IfAbsent && s&CondIfAbsent == 0 {
		return false
	}
	return c.IfMatch == "" || s&CondIfMatch != 0
}

// condName names one condition of one write.
type condName struct {
	name string
	set  func(*Conds) *CondSet
	cond CondSet
}

func condNames() (all []condName) {
	for _, w := range []struct {
		name string
		set  func(*Conds) *CondSet
	}{
		{"put", func(c *Conds) *CondSet { return &c.Put }},
		{"complete", func(c *Conds) *CondSet { return &c.Complete }},
		{"copy", func(c *Conds) *CondSet { return &c.Copy }},
		{"concat", func(c *Conds) *CondSet { return &c.Concat }},
		{"delete", func(c *Conds) *CondSet { return &c.Delete }},
	} {
		all = append(all, condName{w.name + "-if-absent", w.set, CondIfAbsent}, condName{w.name + "-if-match", w.set, CondIfMatch})
	}
	return all
}

// List names the conditions of each write, such as "put-if-absent,put-if-match"; "none"
// where there are none.
func (c Conds) List() string {
	var names []string
	for _, n := range condNames() {
		if *n.set(&c)&n.cond != 0 {
			names = append(names, n.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// ParseConds is the inverse of Conds.List.
func ParseConds(text string) (c Conds, err error) {
	if text == "none" {
		return c, nil
	}
	known := condNames()
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(known, func(n condName) bool { return n.name == name })
		if i < 0 {
			var names []string
			for _, n := range known {
				names = append(names, n.name)
			}
			return Conds{}, fmt.Errorf("condition %q: want none, or some of %s: %w", name, strings.Join(names, ", "), Invalid)
		}
		*known[i].set(&c) |= known[i].cond
	}
	return c, nil
}
