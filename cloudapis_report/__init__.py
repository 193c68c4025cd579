"""``cloudapis-report``: the models of the dbt package as one page of HTML, whole in itself."""
