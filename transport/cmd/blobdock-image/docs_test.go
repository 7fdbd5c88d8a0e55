package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/blobdock/blobdock/driver"
)

// TestDocumentedCommands parses the command lines of docs/image.md: commands and flags exist, and so
// do the options of URLs. It names all flags.
func TestDocumentedCommands(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	p, err := os.ReadFile("../../../docs/image.md")
	if err != nil {
		t.Fatal(err)
	}
	text, found := string(p), 0
	word := regexp.MustCompile(`(?:'[^']*'|[^\s'])+`)
	for _, block := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$").FindAllStringSubmatch(text, -1) {
		for _, line := range strings.Split(block[1], "\n") {
			var args []string
			for _, w := range word.FindAllString(line, -1) {
				args = append(args, strings.ReplaceAll(w, "'", ""))
			}
			if len(args) == 0 || args[0] != "blobdock-image" {
				continue
			}
			found++
			cmd, rest, err := rootCommand().Find(args[1:])
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			for _, image := range cmd.Flags().Args() {
				if err == nil && cmd.Name() != "list" {
					_, err = parse(image)
				} else if err == nil {
					_, err = driver.Parse(t.Context(), strings.TrimPrefix(image, "bucket:"), nil)
				}
			}
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
	if found < 7 {
		t.Errorf("found %d command lines only", found)
	}
	copyCommand().Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "override-variant" && f.Name != "image-parallel-copies" && !strings.Contains(text, "`--"+f.Name+"`") {
			t.Errorf("docs/image.md does not tell of --%s", f.Name)
		}
	})
}
