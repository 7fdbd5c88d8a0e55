package laws

// AzureOptions are what the documents of Azure Blob Storage leave open.
type AzureOptions struct {
}
