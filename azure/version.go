package azure

import (
	"fmt"
	"net/http"
	"regexp"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/blobdock/blobdock/driver"
)

// New versions of the protocol reach some regions, and Azure Stack Hub, later than others.
// https://learn.microsoft.com/en-us/rest/api/storageservices/versioning-for-the-azure-storage-services
var newestVersion = sas.Version // the SDK's

// oldestVersion knows all that this driver sends: the tier Cold is the youngest.
// https://learn.microsoft.com/en-us/rest/api/storageservices/version-2021-12-02
const oldestVersion = "2021-12-02"

var versionDate = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// checkVersion returns an Invalid error for a version that this driver does not speak.
// Versions are dates.
func checkVersion(v string) error {
	if v == "" || versionDate.MatchString(v) && v >= oldestVersion && v <= newestVersion {
		return nil
	}
	return fmt.Errorf("api_version %q: want a version from %s to %s: %w", v, oldestVersion, newestVersion, driver.Invalid)
}

// versionHeader is spelled as the SDK sets it.
const versionHeader = "x-ms-version"

// pinVersion has requests ask for a version of the protocol. It runs before they are signed.
type pinVersion string

func (v pinVersion) Do(req *policy.Request) (*http.Response, error) {
	req.Raw().Header[versionHeader] = []string{string(v)} //nolint:canonicalheader // the SDK's, which this replaces
	return req.Next()
}
