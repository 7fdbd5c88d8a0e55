package verify

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/blobdock/blobdock/azure"
	"github.com/blobdock/blobdock/driver"
)

// TestQuestionsDocumented holds the tables of docs/verify-cloud.md to the questions.
func TestQuestionsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/verify-cloud.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	f := driver.Features{
		Name: "any", Conds: driver.Conds{Put: driver.AllConds, Complete: driver.AllConds, Copy: driver.AllConds, Concat: driver.AllConds},
		Copy: func(context.Context, driver.CopyRequest) (driver.Object, error) { return driver.Object{}, nil },
		Sign: func(context.Context, driver.SignRequest) (driver.SignedURL, error) { return driver.SignedURL{}, nil },
	}
	a, google := &asker{features: f}, &asker{features: f}
	a.features.Uploads = (*azure.Bucket)(nil)
	google.features.Concat = func(context.Context, driver.ConcatRequest) (driver.Object, error) { return driver.Object{}, nil }
	seen := make(map[string]bool)
	for _, store := range [][]question{s3Asker{asker: a}.questions(), gcsAsker{asker: google}.questions(), azureAsker{asker: a}.questions()} {
		names := make(map[string]bool)
		for _, q := range store {
			if names[q.name] {
				t.Errorf("%s is asked twice", q.name)
			}
			names[q.name] = true
			row := fmt.Sprintf("| `%s` | %s |\n", q.name, q.asks)
			if !seen[row] && !strings.Contains(page, row) {
				t.Errorf("docs/verify-cloud.md lacks the row\n%s", row)
			}
			seen[row] = true
		}
	}
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 3 && !seen[line+"\n"] {
			t.Errorf("docs/verify-cloud.md has a row of no question\n%s", line)
		}
	}
}
