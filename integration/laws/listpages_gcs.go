package laws

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// maxPage is how many entries a page has at most.
// https://cloud.google.com/storage/docs/json_api/v1/objects/list
const maxPage = 1000

// listPages divides listings into pages: items and common prefixes count alike, and each
// is on one page only.
func listPages(r rule) enforcement {
	return func(w http.ResponseWriter, c call, next handler) {
		q := c.URL.Query()
		if c.op != "objects.list" || q.Get("versions") == "true" || q.Get("includeTrailingDelimiter") == "true" {
			next(w, c)
			return
		}
		after, err := base64.RawURLEncoding.DecodeString(q.Get("pageToken"))
		if err != nil {
			r.refuseGCS(w, c, http.StatusBadRequest, "invalid", "Invalid Value")
			return
		}
		limit, err := strconv.Atoi(q.Get("maxResults"))
		if err != nil || limit <= 0 || limit > maxPage {
			limit = maxPage
		}
		// The store lists all names that there are; the common prefixes are made here.
		prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
		for _, name := range []string{"pageToken", "maxResults", "delimiter"} {
			q.Del(name)
		}
		c.URL.RawQuery = q.Encode()
		rec := ask(c, next)
		var all struct {
			Items []json.RawMessage `json:"items"`
		}
		if rec.Code != http.StatusOK || json.Unmarshal(rec.Body.Bytes(), &all) != nil {
			reply(w, rec, nil)
			return
		}
		page := listPage{Kind: "storage#objects"}
		page.fill(all.Items, prefix, delimiter, string(after), limit)
		body, err := json.Marshal(page)
		if err != nil {
			body = nil
		}
		reply(w, rec, body)
	}
}

// listPage is one page of a listing.
type listPage struct {
	Kind     string            `json:"kind"`
	Items    []json.RawMessage `json:"items,omitempty"`
	Prefixes []string          `json:"prefixes,omitempty"`
	Next     string            `json:"nextPageToken,omitempty"`
}

// fill takes up to limit entries behind after. The items are in the order of their names.
func (p *listPage) fill(items []json.RawMessage, prefix, delimiter, after string, limit int) {
	last := after
	for _, item := range items {
		var o struct{ Name string }
		if json.Unmarshal(item, &o) != nil {
			continue
		}
		entry, common := o.Name, false
		if i := strings.Index(strings.TrimPrefix(o.Name, prefix), delimiter); delimiter != "" && i >= 0 {
			entry, common = o.Name[:len(prefix)+i+len(delimiter)], true
		}
		if entry <= last {
			continue
		}
		if len(p.Items)+len(p.Prefixes) == limit {
			p.Next = base64.RawURLEncoding.EncodeToString([]byte(last))
			return
		}
		last = entry
		if common {
			p.Prefixes = append(p.Prefixes, entry)
		} else {
			p.Items = append(p.Items, item)
		}
	}
}
