package laws

// azureLaws are the laws of Azure Blob Storage.
func azureLaws() []Law { return nil }
