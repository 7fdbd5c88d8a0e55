package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/blobdock/blobdock/check"
	"github.com/blobdock/blobdock/usage"
)

// schemes are the stores' URLs, as far as all of them begin alike.
var schemes = []cobra.Completion{"s3://", "gs://", "azblob://", "file://"}

// complete tells shells which values arguments and flags may have, beside names of files.
func complete(root *cobra.Command) {
	flags := map[string][]cobra.Completion{
		"log-level":          {"error", "warn", "info", "debug"},
		"redirect":           {"on", "off"},
		"repair":             names(check.Repairable()),
		"ignore":             names(check.Kinds()),
		"sort":               names(usage.Orders()),
		"untagged":           {"keep", "delete"},
		"orphaned-referrers": {"keep", "delete"},
		"storage":            schemes,
	}
	for _, cmd := range root.Commands() {
		for name, values := range flags {
			if cmd.Flags().Lookup(name) == nil {
				continue
			}
			end := cobra.ShellCompDirectiveNoFileComp
			if name == "storage" {
				end = cobra.ShellCompDirectiveNoSpace
			}
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, end)) // fails without the flag only
		}
		if slices.Contains([]string{"check", "copy", "gc", "probe", "sweep", "usage"}, cmd.Name()) {
			cmd.ValidArgsFunction = cobra.FixedCompletions(schemes, cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp)
		}
	}
}

// names are values as texts.
func names[T ~string](values []T) []cobra.Completion {
	var all []cobra.Completion
	for _, v := range values {
		all = append(all, cobra.Completion(v))
	}
	return all
}
