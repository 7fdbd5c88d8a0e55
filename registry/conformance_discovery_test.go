package registry_test

import (
	"encoding/json"
	"net/http"
)

// tags lists tags. query is "" or begins with "?".
func (c repoClient) tags(query string) []string {
	c.t.Helper()
	resp, body := do(c.t, http.MethodGet, c.base+"/tags/list"+query, nil, nil)
	var got struct{ Tags []string }
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("GET of tags: %s: %s", resp.Status, body)
	}
	return got.Tags
}
