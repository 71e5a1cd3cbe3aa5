"""What a run folder holds, as pages to look at and listen to: `report.html` of one run, a comparison of several."""
